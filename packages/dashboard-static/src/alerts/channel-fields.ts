import type { AlertChannelJson } from '@mobilepool/sdk/contract'
import type { WordKey } from '../words/words.ts'

/** What a new channel of each kind is asked for, in the API's own names. `isSecret`: typed as a password is. */
interface ChannelField {
  readonly name: string
  readonly word: WordKey
  readonly hint: string
  readonly isSecret?: boolean
  readonly isOptional?: boolean
}

export const channelFields: Readonly<Record<AlertChannelJson['kind'], readonly ChannelField[]>> = {
  telegram: [
    { name: 'bot_token', word: 'channels.bot_token', hint: '123456789:AA...', isSecret: true },
    { name: 'chat_id', word: 'channels.chat_id', hint: '-1001234567890' },
  ],
  slack: [{ name: 'webhook_url', word: 'channels.webhook_url', hint: 'https://hooks.slack.com/services/...', isSecret: true }],
  email: [
    { name: 'smtp_url', word: 'channels.smtp_url', hint: 'smtp://user:password@mail.example.com:587', isSecret: true },
    { name: 'to', word: 'channels.to', hint: 'ops@example.com, night@example.com' },
  ],
  webhook: [
    { name: 'url', word: 'channels.url', hint: 'https://example.com/alerts' },
    { name: 'secret', word: 'channels.secret', hint: '', isSecret: true, isOptional: true },
  ],
}

/** The body that creates the channel. What is empty and optional is left out; addresses of e-mail are a list. */
export function channelBody(
  kind: AlertChannelJson['kind'],
  name: string,
  typed: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const entries = channelFields[kind].flatMap(({ name: field, isOptional }) => {
    const text = (typed[field] ?? '').trim()
    if (text === '' && isOptional) return []
    return [[field, field === 'to' ? text.split(/[\s,;]+/).filter((part) => part !== '') : text] as const]
  })
  return { kind, name: name.trim(), ...Object.fromEntries(entries) }
}
