import { createConnection } from 'node:net'
import { type Duplex, duplexPair, Readable } from 'node:stream'
import { createProxyServer, type ProxyServer } from '../../src/proxy-server/index.ts'
import { between, seeded } from '../seeded.ts'
import { buildAnswer, buildRequest, buildSocks, markOf, marksIn } from './messages.ts'
import { readStrictly } from './strict-http.ts'

/** What a run of the fuzzer found. */
export interface FuzzReport {
  /** Messages that were answered, or that ended their connection. What lies behind the end of one does not count. */
  readonly judged: number
  readonly connections: number
  readonly answered: number
  readonly requestsAtTargets: number
  /** Each with the seed of its connection. */
  readonly findings: readonly string[]
}

/** How the proxy under test reaches its targets: it serves plain requests in this process, or connects to a stream in it. */
type Mode = 'forward' | 'connect' | 'socks'

const CONCURRENCY = 24
const MOST_PER_CONNECTION = 30
/** Nothing here takes long: what is not over then hangs. */
const HANG_MS = 20_000

/** Sends mutated messages over real loopback connections to proxies whose targets are in this process, until so many are judged. */
export async function runFuzz({ seed, messages }: { seed: number; messages: number }): Promise<FuzzReport> {
  const counts = { judged: 0, connections: 0, answered: 0, requestsAtTargets: 0 }
  const findings: string[] = []
  const open = new Set<Duplex>()
  const targets = seeded(seed ^ 0x7a12)

  const target = (far: Duplex, near: Duplex): void => {
    follow(open, far, near)
    let carried = ''
    near.setEncoding('latin1')
    near.on('data', (text: string) => {
      const isFirst = !carried.includes('\r\n\r\n')
      carried += text
      if (isFirst && carried.includes('\r\n\r\n')) near.write(buildAnswer(targets, markOf(marksIn(carried)[0] ?? 0)), 'latin1')
    })
    near.on('end', () => near.end())
    far.on('close', () => {
      counts.requestsAtTargets++
      const message = readStrictly(carried, 0, 'request')
      if (typeof message === 'string') findings.push(`a target was sent ${message}: ${JSON.stringify(carried)}`)
      else if (message.end !== carried.length) findings.push(`a target was sent something behind a request: ${JSON.stringify(carried)}`)
    })
  }
  const limits = { handshakeTimeoutMs: 2_000, keepAliveTimeoutMs: 2_000, idleTimeoutMs: 5_000 }
  const proxies: Record<Mode, ProxyServer> = {
    forward: createProxyServer({
      limits,
      connect: () => echoTunnel(open),
      forward: async ({ path, body }) => {
        counts.requestsAtTargets++
        if (body) for await (const _ of body);
        const mark = markOf(marksIn(path)[0] ?? 0)
        return { status: 200, reason: 'OK', headers: ['X-Echo', mark], body: Readable.from([`echo of ${mark}`]), trailers: () => [] }
      },
    }),
    connect: createProxyServer({
      limits,
      connect: (_, { kind }) => {
        if (kind === 'tunnel') return echoTunnel(open)
        const [far, near] = duplexPair()
        target(far, near)
        return far
      },
    }),
    socks: createProxyServer({ limits, connect: () => echoTunnel(open) }),
  }
  const modes = Object.keys(proxies) as Mode[]
  const ports = new Map(await Promise.all(modes.map(async (mode) => [mode, (await proxies[mode].listen(0)).port] as const)))

  const visit = async (number: number): Promise<void> => {
    const mySeed = (Math.imul(seed, 1_000_003) + number) >>> 0
    const random = seeded(mySeed)
    const share = random()
    const mode: Mode = share < 0.12 ? 'socks' : share < 0.4 ? 'connect' : 'forward'
    const count = mode === 'socks' ? 1 : between(random, 1, MOST_PER_CONNECTION)
    const ids = Array.from({ length: count }, (_, at) => number * MOST_PER_CONNECTION + at + 1)
    const messages = ids.map((id, at) => (mode === 'socks' ? buildSocks(random, id) : buildRequest(random, id, at < count - 1)))
    const got = await converse(ports.get(mode) ?? 0, messages, random)
    counts.connections++
    const say = (what: string): void => {
      findings.push(
        `${what} (${mode}, connection ${number}, seed ${mySeed}): ${JSON.stringify(messages.join(''))} => ${JSON.stringify(got)}`,
      )
    }
    if (got === null) {
      counts.judged++
      say('hung')
      return
    }
    const answers = mode === 'socks' ? 1 : countAnswers(got, say)
    counts.answered += answers
    counts.judged += Math.min(count, Math.max(answers, 1))
    const marks = marksIn(got)
    if (marks.some((id) => !ids.includes(id) && id !== 0)) say('got what belongs to another client')
    const echoed = [...got.matchAll(/X-Echo: (m\S+)/g)].flatMap(([, mark = '']) => marksIn(mark)).filter((id) => id !== 0)
    if (echoed.some((id, at) => at > 0 && id < (echoed[at - 1] ?? 0))) say('was answered out of order')
  }

  let next = 0
  const worker = async (): Promise<void> => {
    while (counts.judged < messages && findings.length < 10) await visit(next++)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  const isQuiet = (): boolean => open.size === 0 && modes.every((mode) => proxies[mode].counters().openConnections === 0)
  for (const deadline = performance.now() + HANG_MS; !isQuiet() && performance.now() < deadline; ) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  if (open.size > 0) findings.push(`${open.size} connections to targets were left open`)
  for (const mode of modes) {
    const { openConnections } = proxies[mode].counters()
    if (openConnections > 0 || proxies[mode].activeCount > 0) findings.push(`${mode}: ${openConnections} client connections were left open`)
    await proxies[mode].close()
  }
  return { ...counts, findings }
}

/** Notes a connection to a target until the proxy has closed its end. */
function follow(open: Set<Duplex>, far: Duplex, near: Duplex): void {
  open.add(far)
  near.on('error', () => {})
  far.on('close', () => {
    open.delete(far)
    near.destroy()
  })
}

/** A tunnel whose other end sends back what it is sent. */
function echoTunnel(open: Set<Duplex>): Duplex {
  const [far, near] = duplexPair()
  follow(open, far, near)
  near.on('data', (data: Buffer) => near.write(data))
  near.on('end', () => near.end())
  return far
}

/**
 * Says all but the last message in pieces, waits for the answers, then says the last, which may be broken: sent behind the others at once
 * it would cut them. Ends its side and returns what it got; null when the proxy does not end.
 */
function converse(port: number, messages: readonly string[], random: () => number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true })
    let got = ''
    let isHung = false
    const late = setTimeout(() => {
      isHung = true
      socket.destroy()
    }, HANG_MS)
    const first = messages.slice(0, -1)
    let isLastSaid = first.length === 0
    const sayLast = (): void => {
      if (isLastSaid || !isFirstSaid) return
      isLastSaid = true
      clearTimeout(impatience)
      say(messages.at(-1) ?? '', 0, () => socket.end())
    }
    let impatience: NodeJS.Timeout | undefined
    let isFirstSaid = false
    socket.setEncoding('latin1')
    socket.on('error', () => {})
    socket.on('data', (data: string) => {
      got += data
      look()
    })
    const look = (): void => {
      if (!isLastSaid && got.split('HTTP/1.1 ').length - 1 - got.split('HTTP/1.1 100').length + 1 >= first.length) sayLast()
    }
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      clearTimeout(late)
      clearTimeout(impatience)
      resolve(isHung ? null : got)
    })
    const size = random() < 0.5 ? Number.POSITIVE_INFINITY : between(random, 7, 900)
    const say = (text: string, at: number, then: () => void): void => {
      if (!socket.writable) return
      if (at >= text.length) {
        then()
        return
      }
      socket.write(text.slice(at, at + size), 'latin1')
      setImmediate(say, text, at + size, then)
    }
    socket.on('connect', () => {
      if (isLastSaid) say(messages[0] ?? '', 0, () => socket.end())
      else
        say(first.join(''), 0, () => {
          isFirstSaid = true
          // Where fewer answers come than messages were said.
          impatience = setTimeout(sayLast, 1_000)
          look()
        })
    })
  })
}

/** Answers in what a client got; what is no answer is said. */
function countAnswers(got: string, say: (what: string) => void): number {
  let answers = 0
  for (let at = 0; at < got.length; ) {
    const answer = readStrictly(got, at, 'response')
    if (typeof answer === 'string') {
      say(`was sent ${answer}`)
      return answers
    }
    if (!answer.startLine.startsWith('HTTP/1.1 1')) answers++
    if (/^HTTP\/1\.1 (101 |200 Connection established)/.test(answer.startLine)) return answers
    at = answer.end
  }
  return answers
}
