import { alertChannelAddress } from '@mobilepool/sdk/contract'
import type { z } from 'zod'

const { telegram, slack, email, webhook } = alertChannelAddress

/** The channels that the environment sets, besides those made by the API; null: not this one. */
export const alertOptions = {
  /** With `telegramChatId`: alerts go to a Telegram chat. */
  telegramBotToken: telegram.shape.bot_token.nullable().default(null),
  telegramChatId: telegram.shape.chat_id.nullable().default(null),
  /** A Bot API server of one's own; null: Telegram's. */
  telegramApiUrl: telegram.shape.api_url.unwrap().nullable().default(null),
  /** Alerts go to Slack, or to what takes its incoming webhooks. */
  slackWebhookUrl: slack.shape.webhook_url.nullable().default(null),
  /** With `alertEmailTo`: alerts go by e-mail. */
  smtpUrl: email.shape.smtp_url.nullable().default(null),
  alertEmailTo: email.shape.to.nullable().default(null),
  /** null: mobilepool@ this host. */
  alertEmailFrom: email.shape.from.unwrap().nullable().default(null),
  /** With `alertWebhookSecret`: alerts go there, signed. */
  alertWebhookUrl: webhook.shape.url.nullable().default(null),
  alertWebhookSecret: webhook.shape.secret.unwrap().nullable().default(null),
}

type AlertOptions = { [Option in keyof typeof alertOptions]: z.output<(typeof alertOptions)[Option]> }

/** Options that mean something only together, with the variables they come from. */
const PAIRS = [
  ['telegramBotToken', 'TELEGRAM_BOT_TOKEN', 'telegramChatId', 'TELEGRAM_CHAT_ID'],
  ['smtpUrl', 'SMTP_URL', 'alertEmailTo', 'ALERT_EMAIL_TO'],
  ['alertWebhookUrl', 'ALERT_WEBHOOK_URL', 'alertWebhookSecret', 'ALERT_WEBHOOK_SECRET'],
] as const

/** Half a channel would be alerts that nobody gets: says what is missing. */
export function refineAlertOptions(options: AlertOptions, context: z.RefinementCtx<AlertOptions>): void {
  for (const [option, name, other, otherName] of PAIRS) {
    if ((options[option] === null) === (options[other] === null)) continue
    const [given, missing, path] = options[option] === null ? [otherName, name, option] : [name, otherName, other]
    context.addIssue({ code: 'custom', path: [path], message: `${missing} must be set as well, since ${given} is` })
  }
}
