import { alertChannelAddress } from '@mobilepool/sdk/contract'
import type { z } from 'zod'
import { plainText } from '../wording.ts'
import { ATTEMPT_TIMEOUT_MS, type ChannelKind, quote, retryAfter } from './channel-kind.ts'

/** Slack cuts the text of a message at 40,000 characters; nobody reads a tenth of it. */
const MAX_TEXT = 4_000
/** Incoming webhooks: one message a second. */
const SPACING_MS = 1_000

type Address = z.output<typeof alertChannelAddress.slack>

/** An incoming webhook of Slack, or of what speaks the same (Mattermost, Rocket.Chat, Discord's `/slack`). */
export const slack: ChannelKind<Address> = {
  address: alertChannelAddress.slack,
  spacingMs: SPACING_MS,
  // The path is the credential.
  target: ({ webhook_url: url }) => new URL(url).host,
  async deliver({ webhook_url: url }, notices, { send, signal }) {
    const answer = await send({
      url,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: escaped(plainText(notices, MAX_TEXT)), unfurl_links: false }),
      timeoutMs: ATTEMPT_TIMEOUT_MS,
      maxRedirects: 0,
      signal,
    })
    if (!answer.isAnswer) return { outcome: 'retry', answer: answer.detail }
    const { status, text, headers } = answer
    const said = quote(status, text)
    if (status >= 200 && status < 300) return { outcome: 'sent', answer: said }
    if (status === 429) return { outcome: 'retry', answer: said, ...retryAfter(headers) }
    // 403 action_prohibited, 404 no_service or channel_not_found, 410 channel_is_archived: only an admin of Slack can put that right.
    if ([401, 403, 404, 410].includes(status)) return { outcome: 'gone', answer: said }
    return { outcome: status >= 500 ? 'retry' : 'refused', answer: said }
  },
}

/** The three characters that Slack gives a meaning. */
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
