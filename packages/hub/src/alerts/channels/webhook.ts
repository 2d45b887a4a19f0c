import { createHmac } from 'node:crypto'
import { alertChannelAddress, type WebhookBodyJson } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { alertJson } from '../alert-json.ts'
import { ATTEMPT_TIMEOUT_MS, type ChannelKind, quote, retryAfter } from './channel-kind.ts'

const SPACING_MS = 200

/** A webhook has a secret always: the hub made one where none was given. */
const address = alertChannelAddress.webhook.extend({ secret: z.string() })
type Address = z.output<typeof address>

/**
 * Any HTTP server of the admin's. `MobilePool-Signature: v1=<hex>` is HMAC-SHA256, keyed with the secret, over
 * `<MobilePool-Timestamp>.<body>`; the timestamp is of the attempt, in seconds, so that a receiver can refuse old ones.
 */
export const webhook: ChannelKind<Address> = {
  address,
  spacingMs: SPACING_MS,
  target: ({ url }) => new URL(url).origin,
  async deliver({ url, secret }, notices, { send, now, signal }) {
    const content: WebhookBodyJson = { notices: notices.map(({ id, notice, alert }) => ({ id, notice, alert: alertJson(alert) })) }
    const body = JSON.stringify(content)
    const timestamp = String(Math.floor(now() / 1_000))
    const answer = await send({
      url,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'mobilepool-timestamp': timestamp,
        'mobilepool-signature': `v1=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`,
      },
      body,
      timeoutMs: ATTEMPT_TIMEOUT_MS,
      // A signed body goes where the admin said, nowhere else.
      maxRedirects: 0,
      signal,
    })
    if (!answer.isAnswer) return { outcome: 'retry', answer: answer.detail }
    const { status, text, headers } = answer
    const said = quote(status, text)
    if (status >= 200 && status < 300) return { outcome: 'sent', answer: said }
    // RFC 9110 15.5.11: gone for good. Any other refusal may be a receiver that is being put right.
    return status === 410 ? { outcome: 'gone', answer: said } : { outcome: 'retry', answer: said, ...retryAfter(headers) }
  },
}
