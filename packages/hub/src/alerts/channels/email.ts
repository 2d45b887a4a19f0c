import type { Socket } from 'node:net'
import { hostname } from 'node:os'
import { alertChannelAddress } from '@mobilepool/sdk/contract'
import { createTransport } from 'nodemailer'
import type { z } from 'zod'
import { plainText, subjectLine } from '../wording.ts'
import { ATTEMPT_TIMEOUT_MS, type ChannelKind, type Notice, type SendResult } from './channel-kind.ts'

const MAX_TEXT = 50_000
/** Mail is for what can wait a little; a storm becomes two mails a minute. */
const SPACING_MS = 30_000

type Address = z.output<typeof alertChannelAddress.email>

/** E-mail by a server of the admin's. */
export const email: ChannelKind<Address> = {
  address: alertChannelAddress.email,
  spacingMs: SPACING_MS,
  target: ({ to }) => to.join(', '),
  async deliver({ smtp_url: url, to, from }, notices, { dial, signal }) {
    // Ours: dialled where the hub may go, and so that it can be ended: a transport waits for a mute server whatever it is told.
    const sockets: Socket[] = []
    const transport = createTransport({
      url,
      getSocket({ host, port, secure }, done) {
        // The ports that nodemailer takes where the URL names none (RFC 8314, RFC 6409).
        dial(host ?? 'localhost', Number(port) || (secure ? 465 : 587), { timeoutMs: ATTEMPT_TIMEOUT_MS, signal }).then(
          (connection) => {
            sockets.push(connection)
            done(null, { connection })
          },
          (error: Error) => done(error),
        )
      },
      connectionTimeout: ATTEMPT_TIMEOUT_MS,
      greetingTimeout: ATTEMPT_TIMEOUT_MS,
      socketTimeout: ATTEMPT_TIMEOUT_MS,
      dnsTimeout: ATTEMPT_TIMEOUT_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
    })
    const stop = (): void => {
      for (const socket of sockets) socket.destroy(new Error('given up'))
    }
    signal.addEventListener('abort', stop, { once: true })
    try {
      const { response, rejected } = await transport.sendMail({
        from: from ?? `mobilepool@${hostname()}`,
        to,
        subject: subjectLine(notices),
        text: plainText(notices, MAX_TEXT),
        ...threadOf(notices),
        // RFC 3834: no vacation replies to this.
        headers: { 'Auto-Submitted': 'auto-generated' },
      })
      const missed = rejected.length > 0 ? `; refused for ${rejected.map(String).join(', ')}` : ''
      return { outcome: 'sent', answer: `${response}${missed}` }
    } catch (error) {
      return failure(error)
    } finally {
      signal.removeEventListener('abort', stop)
      transport.close()
      for (const socket of sockets) socket.destroy()
    }
  },
}

/** Mails about one alert stand together: what follows its first mail answers to an id that all of them name. */
function threadOf(notices: readonly Notice[]): { references?: string; inReplyTo?: string } {
  const [first] = notices
  if (!first || notices.length > 1) return {}
  const thread = `<alert-${first.alert.id}@mobilepool>`
  return first.notice === 'firing' ? { references: thread } : { references: thread, inReplyTo: thread }
}

/** What nodemailer puts on its errors. */
interface MailError {
  code?: string
  responseCode?: number
  response?: string
  message?: string
}

/** RFC 5321 4.2.1: 4yz may be tried again, 5yz not. */
function failure(error: unknown): SendResult {
  const { code, responseCode, response, message } = error as MailError
  const answer = (response ?? message ?? String(error)).slice(0, 300)
  // 535: the password is wrong; every further attempt brings the account nearer to being locked.
  if (code === 'EAUTH' && responseCode !== undefined && responseCode >= 500) return { outcome: 'gone', answer }
  return { outcome: responseCode !== undefined && responseCode >= 500 ? 'refused' : 'retry', answer }
}
