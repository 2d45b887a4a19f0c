import { z } from 'zod'

/** What the hub's own requests may reach. */
export const outboundOptions = {
  /**
   * Whether rotation links, webhooks and probes may lead to private and loopback addresses, where modem boxes are. A hub whose admins
   * are not trusted with its network says false. Link-local and metadata addresses are refused always.
   */
  outboundPrivate: z.boolean({ error: 'must be true or false' }).default(true),
}
