import { z } from 'zod'
import { isCidr } from '../fleet/address.ts'
import { seconds, wholeNumber } from './fields.ts'

const PORT = 'must be a port from 0 to 65535, "auto" or "off"'

/** A list such as `80,443,8000-8999`; null: it is none. */
export function portList(text: string): (number | [first: number, last: number])[] | null {
  const items = text.split(',').map((item) => /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(item))
  const ports: (number | [number, number])[] = []
  for (const item of items) {
    const [first, last] = [Number(item?.[1] ?? 0), Number(item?.[2] ?? item?.[1] ?? 0)]
    if (first < 1 || last > 65_535 || first > last) return null
    ports.push(first === last ? first : [first, last])
  }
  return ports
}

/** The forward proxy in front of the fleet. */
export const gatewayOptions = {
  /**
   * Port of the gateway; 0 lets the system choose. `auto`: 8080, or a free one where the hub's own port is 0; where 8080 is taken, the
   * hub warns and runs without a gateway. `off`: there is none.
   */
  proxyPort: z.union([z.int(PORT).min(0, PORT).max(65_535, PORT), z.enum(['auto', 'off'], PORT)], PORT).default('auto'),
  /** Address of the gateway; null: the hub's own. Nobody gets in without a key, wherever it listens. */
  proxyHost: z.string().min(1, 'must be an address or a host name').nullable().default(null),
  /** What clients reach the gateway by, e.g. `http://proxy.example.com:8080`; null: address and port that it listens on. */
  gatewayPublicUrl: z
    .string()
    .refine(
      (text) => URL.canParse(text) && /^https?:\/\/[^/@]+\/?$/.test(text),
      'must be like http://proxy.example.com:8080, without user or path',
    )
    .nullable()
    .default(null),
  /** Networks that clients may come from; empty: any. */
  gatewayAllow: z.array(z.string().refine(isCidr, 'must be addresses or networks like 10.0.0.0/8, separated by commas')).default([]),
  /** Ports of targets that are connected to; null: every port. */
  gatewayPorts: z
    .string()
    .refine((text) => portList(text) !== null, 'must be ports and ranges, like 80,443,8000-8999')
    .nullable()
    .default(null),
  /** Lets clients name private and loopback targets, as a laboratory needs it. Devices of ours refuse them all the same. */
  gatewayAllowPrivate: z.boolean({ error: 'must be true or false' }).default(false),
  /** Requests and tunnels that one key may begin a minute; null: no limit of its own. */
  gatewayRateLimit: wholeNumber(1, 10_000_000).nullable().default(null),
  /** Requests and tunnels that the keys of one user (or a key that is nobody's) may have under way. */
  gatewayConcurrency: wholeNumber(1, 1_000_000).default(4_096),
  /** Requests and tunnels under way through one device that has no limit of its own. A browser opens dozens. */
  gatewayDeviceConcurrency: wholeNumber(1, 10_000).default(500),
  /** How a request without a session is given its device. */
  gatewayBalancer: z
    .enum(['least-connections', 'round-robin', 'random', 'weighted', 'ip-hash'], {
      error: 'must be least-connections, round-robin, random, weighted or ip-hash',
    })
    .default('least-connections'),
  /** How long a request waits for a device that is about to be free, ms. */
  gatewayQueueMs: seconds(0.001, 600).default(30_000),
  /** How long a session lasts without a request where the user name does not say it, ms. */
  gatewaySessionMs: seconds(1, 604_800).default(1_800_000),
  /** How long requests and tunnels under way may take when the hub stops, ms. */
  gatewayDrainMs: seconds(0, 600).default(5_000),
}
