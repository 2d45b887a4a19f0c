import { z } from 'zod'
import { alertRule, alertSeverity } from './alert.ts'
import { label, timestamp } from './names.ts'

/** By what notices are sent. */
export const alertChannelKind = z.enum(['telegram', 'slack', 'email', 'webhook'])
export type AlertChannelKind = z.infer<typeof alertChannelKind>

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }).max(2_000)

/** What each kind needs to reach its far end. Secret, all of it: never shown again. */
export const alertChannelAddress = {
  telegram: z.strictObject({
    bot_token: z.string().regex(/^\d{3,20}:[A-Za-z0-9_-]{20,100}$/, 'must be a bot token as @BotFather gives it, like 123456789:AA...'),
    /** A chat's number, negative for groups, or `@channelname`. */
    chat_id: z.string().regex(/^(-?\d{1,20}|@[A-Za-z0-9_]{4,64})$/, 'must be a chat id like -1001234567890, or @channelname'),
    /** The topic of a group with topics. */
    thread_id: z.int().positive().optional(),
    /** A Bot API server of one's own. @default https://api.telegram.org */
    api_url: httpUrl.optional(),
  }),
  slack: z.strictObject({
    /** An incoming webhook, `https://hooks.slack.com/services/...`; Mattermost and Rocket.Chat take the same. */
    webhook_url: httpUrl,
  }),
  email: z.strictObject({
    /** `smtp://user:password@host:587`, or `smtps://` for TLS from the start (465). */
    smtp_url: z.url({ protocol: /^smtps?$/, error: 'must be like smtp://user:password@mail.example.com:587' }).max(2_000),
    to: z.array(z.email('must be e-mail addresses')).min(1).max(20),
    /** @default mobilepool@ the host of this hub */
    from: z.email('must be an e-mail address').optional(),
  }),
  webhook: z.strictObject({
    url: httpUrl,
    /** Signs every request; docs/hub.md says how to verify it. The hub makes one and shows it once when it is left out. */
    secret: z.string().min(16, 'must have at least 16 characters').max(200).optional(),
  }),
} as const

const choices = {
  /** For people, and to name it in `POST /api/v1/alerts/test`. */
  name: label,
  enabled: z.boolean(),
  /** Less severe alerts do not go here. */
  min_severity: alertSeverity,
  /** Only alerts of these rules go here; null: all. */
  rules: z.array(alertRule).min(1).nullable(),
}

const created = {
  name: choices.name,
  enabled: choices.enabled.default(true),
  min_severity: choices.min_severity.default('info'),
  rules: choices.rules.default(null),
}

/** Body of `POST /api/v1/alerts/channels`. */
export const alertChannelCreate = z.discriminatedUnion('kind', [
  alertChannelAddress.telegram.extend({ kind: z.literal('telegram'), ...created }),
  alertChannelAddress.slack.extend({ kind: z.literal('slack'), ...created }),
  alertChannelAddress.email.extend({ kind: z.literal('email'), ...created }),
  alertChannelAddress.webhook.extend({ kind: z.literal('webhook'), ...created }),
])

/** Body of `PATCH /api/v1/alerts/channels/{id}`: only what is given changes; addresses must be of the channel's own kind. */
export const alertChannelUpdate = z
  .strictObject({
    ...choices,
    ...alertChannelAddress.telegram.shape,
    ...alertChannelAddress.slack.shape,
    ...alertChannelAddress.email.shape,
    ...alertChannelAddress.webhook.shape,
  })
  .partial()
  .refine((body) => Object.keys(body).length > 0, 'names nothing to change')

/** A channel as it is shown: where it leads, never the secrets. */
export const alertChannel = z.object({
  id: z.uuid(),
  kind: alertChannelKind,
  ...choices,
  /** `environment`: the hub's variables set it (TELEGRAM_BOT_TOKEN, ...), so that it goes when they do. */
  source: z.enum(['api', 'environment']),
  /** Enough to recognise the far end by: a chat, a host, addresses. */
  target: z.string(),
  /** Why the hub stopped sending here by itself; a test that succeeds ends it. */
  disabled_reason: z.string().nullable(),
  last_sent_at: timestamp.nullable(),
  last_error: z.string().nullable(),
  created_at: timestamp,
  updated_at: timestamp,
})
export type AlertChannelJson = z.infer<typeof alertChannel>

/** A webhook's secret that the hub made is shown this once. */
export const alertChannelCreateReply = alertChannel.extend({ secret: z.string().optional() })

/** `GET /api/v1/alerts/channels` */
export const alertChannelList = z.object({ channels: z.array(alertChannel) })

/** Body of `POST /api/v1/alerts/test`: a channel's id or name. */
export const alertTestRequest = z.strictObject({ channel: z.union([z.uuid(), label]) })

/** What the far end answered to the test: `ok` only when it acknowledged. */
export const alertTestReply = z.object({ channel: label, ok: z.boolean(), answer: z.string(), duration_ms: z.int().nonnegative() })
