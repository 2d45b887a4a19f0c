import { alertChannelAddress } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import type { OutboundAnswer } from '../../outbound/outbound.ts'
import { plainText } from '../wording.ts'
import { ATTEMPT_TIMEOUT_MS, type ChannelKind, type SendResult } from './channel-kind.ts'

/** Bot API, sendMessage: "1-4096 characters after entities parsing". */
const MAX_TEXT = 4_096
/** Bot FAQ: 20 notices a minute to one group. */
const SPACING_MS = 3_000

type Address = z.output<typeof alertChannelAddress.telegram>

/** How the Bot API answers, as far as it concerns us. */
const reply = z.object({
  ok: z.boolean(),
  description: z.string().optional(),
  parameters: z.object({ retry_after: z.number().optional(), migrate_to_chat_id: z.union([z.number(), z.string()]).optional() }).optional(),
})
type Reply = z.infer<typeof reply>

/** A chat of the Telegram Bot API, or of a Bot API server of one's own. */
export const telegram: ChannelKind<Address> = {
  address: alertChannelAddress.telegram,
  spacingMs: SPACING_MS,
  target: ({ chat_id: chat, thread_id: thread }) => `chat ${chat}${thread === undefined ? '' : `, topic ${thread}`}`,
  async deliver(address, notices, { send, signal }) {
    const body = {
      text: plainText(notices, MAX_TEXT),
      link_preview_options: { is_disabled: true },
      disable_notification: notices.every(({ notice, alert }) => notice === 'resolved' || alert.severity === 'info'),
      ...(address.thread_id === undefined ? {} : { message_thread_id: address.thread_id }),
    }
    const post = async (to: Address): Promise<Outcome> => {
      const answer = await send({
        url: `${(to.api_url ?? 'https://api.telegram.org').replace(/\/+$/, '')}/bot${to.bot_token}/sendMessage`,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ chat_id: to.chat_id, ...body }),
        timeoutMs: ATTEMPT_TIMEOUT_MS,
        maxRedirects: 0,
        signal,
      })
      return answer.isAnswer ? outcomeOf(answer) : { result: { outcome: 'retry', answer: answer.detail } }
    }
    const first = await post(address)
    if (first.movedTo === undefined) return first.result
    // A group that became a supergroup has another id from then on.
    const moved = { ...address, chat_id: first.movedTo }
    const { result } = await post(moved)
    return result.outcome === 'sent' ? { ...result, answer: `${result.answer}, chat ${first.movedTo} now`, address: moved } : result
  },
}

interface Outcome {
  result: SendResult
  movedTo?: string
}

function outcomeOf({ status, text }: OutboundAnswer): Outcome {
  const said = readReply(text)
  if (!said) return { result: { outcome: 'retry', answer: `${status} without the Bot API's JSON: is api_url right?` } }
  const answer = `${status} ${said.description ?? (said.ok ? 'ok' : '')}`.trim()
  if (status === 200 && said.ok) return { result: { outcome: 'sent', answer } }
  const { retry_after: seconds, migrate_to_chat_id: movedTo } = said.parameters ?? {}
  if (status === 429) return { result: { outcome: 'retry', answer, ...(seconds === undefined ? {} : { afterMs: seconds * 1_000 }) } }
  if (movedTo !== undefined) return { result: { outcome: 'gone', answer }, movedTo: String(movedTo) }
  // 401 and 404: no such bot. 403: blocked, kicked, the user is gone. 400 for a chat or topic that is not there.
  const isGone =
    [401, 403, 404].includes(status) ||
    (status === 400 && /chat not found|thread not found|have no rights|not enough rights|kicked|deactivated/i.test(answer))
  if (isGone) return { result: { outcome: 'gone', answer } }
  return { result: { outcome: status >= 500 ? 'retry' : 'refused', answer } }
}

function readReply(text: string): Reply | null {
  try {
    return reply.parse(JSON.parse(text))
  } catch {
    return null
  }
}
