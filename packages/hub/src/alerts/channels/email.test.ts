import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { afterEach, expect, test } from 'vitest'
import { sampleNotice } from '../../../test/alert-samples.ts'
import { createDialer } from '../../outbound/dialer.ts'
import { email } from './email.ts'

const tools = {
  send: () => Promise.reject(new Error('mail goes by SMTP')),
  dial: createDialer({ allowsPrivate: true }),
  now: Date.now,
  signal: new AbortController().signal,
}

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** A mail server that keeps what it got. */
async function startMailServer(options: SMTPServerOptions = {}): Promise<{ url: (user?: string) => string; mails: string[] }> {
  const mails: string[] = []
  const server = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    allowInsecureAuth: true,
    logger: false,
    onAuth: ({ username, password }, _session, done) =>
      password === 'right'
        ? done(null, { user: username })
        : done(Object.assign(new Error('Authentication failed'), { responseCode: 535 })),
    onData: (stream, _session, done) => {
      let text = ''
      stream.on('data', (chunk) => {
        text += String(chunk)
      })
      stream.on('end', () => {
        mails.push(text)
        done()
      })
    },
    ...options,
  })
  server.on('error', () => {})
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  closing.push(() => new Promise<void>((resolve) => server.close(() => resolve())))
  const { port } = server.server.address() as AddressInfo
  return { mails, url: (user = '') => `smtp://${user === '' ? '' : `${user}@`}127.0.0.1:${port}` }
}

const deliver = (url: string, notices = [sampleNotice()]) =>
  email.deliver({ smtp_url: url, to: ['ops@example.com', 'boss@example.com'], from: 'pool@example.com' }, notices, tools)

/** An SMTP answer. */
const no = (responseCode: number, message: string): Error => Object.assign(new Error(message), { responseCode })

test('a notice is a mail to all, with the headline as its subject, and asks for no vacation replies', async () => {
  const server = await startMailServer()
  const notice = sampleNotice()
  expect(await deliver(server.url('ops:right'), [notice])).toMatchObject({ outcome: 'sent', answer: expect.stringMatching(/^250/) })
  const [mail = ''] = server.mails
  expect(mail).toMatch(/^From: pool@example.com/m)
  expect(mail).toMatch(/^To: ops@example.com, boss@example.com/m)
  expect(mail).toMatch(/^Subject: \[CRITICAL\] kazan-02 is silent/m)
  expect(mail).toMatch(/^Auto-Submitted: auto-generated/m)
  expect(mail).toContain('Not heard for 5 min')
})

test('the recovery stands in the thread of its alert', async () => {
  const server = await startMailServer()
  const { alert } = sampleNotice()
  await deliver(server.url(), [{ id: 'a', notice: 'firing', alert }])
  await deliver(server.url(), [{ id: 'b', notice: 'resolved', alert }])
  const [first = '', second = ''] = server.mails
  expect(first).toContain(`References: <alert-${alert.id}@mobilepool>`)
  expect(second).toContain(`In-Reply-To: <alert-${alert.id}@mobilepool>`)
})

test('a wrong password switches the channel off: further attempts would lock the account', async () => {
  const server = await startMailServer()
  const result = await deliver(server.url('ops:wrong'))
  expect(result).toMatchObject({ outcome: 'gone', answer: expect.stringContaining('535') })
  expect(JSON.stringify(result)).not.toContain('wrong')
})

test.each([
  ['450: later', 450, 'Mailbox busy', 'retry'],
  ['550: this mail is lost', 550, 'No such user', 'refused'],
])('an address refused with %s', async (_case, code, text, outcome) => {
  const server = await startMailServer({ onRcptTo: (_address, _session, done) => done(no(code, text)) })
  expect(await deliver(server.url())).toMatchObject({ outcome, answer: expect.stringContaining(text) })
})

test.each([
  ['452: later', 452, 'Insufficient system storage', 'retry'],
  ['554: lost', 554, 'Looks like spam', 'refused'],
])('a mail refused with %s', async (_case, code, text, outcome) => {
  const server = await startMailServer({
    onData: (stream, _session, done) => {
      stream.resume()
      stream.on('end', () => done(no(code, text)))
    },
  })
  expect(await deliver(server.url())).toMatchObject({ outcome, answer: expect.stringContaining(text) })
})

test('one of two addresses refused: sent, and said', async () => {
  const server = await startMailServer({
    onRcptTo: ({ address }, _session, done) => (address.startsWith('boss') ? done(no(550, 'No such user')) : done()),
  })
  expect(await deliver(server.url())).toMatchObject({ outcome: 'sent', answer: expect.stringContaining('refused for boss@example.com') })
})

test('a server that is not there, or says nothing: later', async () => {
  expect(await deliver('smtp://127.0.0.1:1')).toMatchObject({ outcome: 'retry', answer: expect.stringContaining('ECONNREFUSED') })
  const mute = createServer(() => {}).listen(0, '127.0.0.1')
  await once(mute, 'listening')
  const stop = new AbortController()
  mute.once('connection', (socket) => {
    closing.push(
      async () => void socket.destroy(),
      () => new Promise((resolve) => mute.close(resolve)),
    )
    stop.abort()
  })
  const { port } = mute.address() as AddressInfo
  const result = await email.deliver({ smtp_url: `smtp://127.0.0.1:${port}`, to: ['ops@example.com'] }, [sampleNotice()], {
    ...tools,
    signal: stop.signal,
  })
  expect(result).toMatchObject({ outcome: 'retry' })
}, 30_000)

test.each([
  ['smtp://169.254.169.254', true, 'never calls'],
  ['smtps://user:verysecret@localhost:465', false, 'OUTBOUND_PRIVATE=false'],
])('a server where the hub does not go is not dialled: %s', async (url, allowsPrivate, why) => {
  const dial = createDialer({ allowsPrivate })
  const result = await email.deliver({ smtp_url: url, to: ['ops@example.com'] }, [sampleNotice()], { ...tools, dial })
  expect(result).toMatchObject({ outcome: 'retry', answer: expect.stringContaining(why) })
  expect(JSON.stringify(result)).not.toContain('verysecret')
})
