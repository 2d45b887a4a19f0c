import type { Variable } from '../config-sources.ts'
import { list, text } from './readers.ts'

/** The alert channels that an operator can set. */
export const alertVariables: readonly Variable[] = [
  {
    option: 'telegramBotToken',
    env: ['TELEGRAM_BOT_TOKEN'],
    read: text,
    secret: true,
    help: 'alerts to Telegram: the bot, with TELEGRAM_CHAT_ID',
  },
  { option: 'telegramChatId', env: ['TELEGRAM_CHAT_ID'], read: text, help: 'alerts to Telegram: the chat, like -1001234567890' },
  { option: 'telegramApiUrl', env: ['TELEGRAM_API_URL'], read: text, help: 'a Bot API server of your own (https://api.telegram.org)' },
  { option: 'slackWebhookUrl', env: ['SLACK_WEBHOOK_URL'], read: text, secret: true, help: 'alerts to Slack: an incoming webhook' },
  {
    option: 'smtpUrl',
    env: ['SMTP_URL'],
    read: text,
    secret: true,
    help: 'alerts by e-mail: smtp://user:password@host:587, with ALERT_EMAIL_TO',
  },
  { option: 'alertEmailTo', env: ['ALERT_EMAIL_TO'], read: list, help: 'alerts by e-mail: addresses, comma-separated' },
  { option: 'alertEmailFrom', env: ['ALERT_EMAIL_FROM'], read: text, help: 'alerts by e-mail: the sender (mobilepool@ this host)' },
  {
    option: 'alertWebhookUrl',
    env: ['ALERT_WEBHOOK_URL'],
    read: text,
    secret: true,
    help: 'alerts to a server of yours, with ALERT_WEBHOOK_SECRET',
  },
  {
    option: 'alertWebhookSecret',
    env: ['ALERT_WEBHOOK_SECRET'],
    read: text,
    secret: true,
    help: 'signs what goes to ALERT_WEBHOOK_URL, 16 characters or more',
  },
]
