import { z } from 'zod'
import { alert, alertNotice } from './alert.ts'

/** Body of what a webhook channel is sent: one notice, or several that came at once. */
export const webhookBody = z.object({
  /** `id` names a notice to this channel: the same on each attempt, so that one that arrives twice can be told. */
  notices: z.array(z.object({ id: z.uuid(), notice: alertNotice, alert })).min(1),
})
export type WebhookBodyJson = z.infer<typeof webhookBody>
