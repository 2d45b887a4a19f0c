import type { HubConfig } from '../config.ts'
import type { EnvironmentChannel } from './channel-list.ts'

type AlertConfig = Pick<
  HubConfig,
  | 'telegramBotToken'
  | 'telegramChatId'
  | 'telegramApiUrl'
  | 'slackWebhookUrl'
  | 'smtpUrl'
  | 'alertEmailTo'
  | 'alertEmailFrom'
  | 'alertWebhookUrl'
  | 'alertWebhookSecret'
>

/** Each of them is the same channel at every start: chosen once, at random. */
const IDS = {
  telegram: 'a1d29c14-6f0e-4d8e-9d3c-0b7a5c1e0001',
  slack: 'a1d29c14-6f0e-4d8e-9d3c-0b7a5c1e0002',
  email: 'a1d29c14-6f0e-4d8e-9d3c-0b7a5c1e0003',
  webhook: 'a1d29c14-6f0e-4d8e-9d3c-0b7a5c1e0004',
} as const

/** The channels that the hub's settings ask for. */
export function environmentChannels(config: AlertConfig): EnvironmentChannel[] {
  const wanted: [keyof typeof IDS, Record<string, unknown> | null][] = [
    [
      'telegram',
      config.telegramBotToken === null
        ? null
        : { bot_token: config.telegramBotToken, chat_id: config.telegramChatId, api_url: config.telegramApiUrl },
    ],
    ['slack', config.slackWebhookUrl === null ? null : { webhook_url: config.slackWebhookUrl }],
    ['email', config.smtpUrl === null ? null : { smtp_url: config.smtpUrl, to: config.alertEmailTo, from: config.alertEmailFrom }],
    ['webhook', config.alertWebhookUrl === null ? null : { url: config.alertWebhookUrl, secret: config.alertWebhookSecret }],
  ]
  return wanted.flatMap(([kind, address]) => {
    if (!address) return []
    const given = Object.fromEntries(Object.entries(address).filter(([, value]) => value !== null))
    return [{ id: IDS[kind], kind, name: `${kind} (environment)`, address: given }]
  })
}
