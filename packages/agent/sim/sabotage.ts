import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type Duplex, duplexPair } from 'node:stream'
import type { SimulatorKnobs } from './knobs.ts'

const TLS_HANDSHAKE = 0x16
/** The saboteur keeps what it may alter in memory; the connection of a larger answer is cut. */
const MAX_ALTERED_BYTES = 1 << 20

/**
 * A proxy that lies, so that a check of the whole product can be seen to notice. Exists in the simulator only.
 * - `wrong-answers`: some answers have the body of another request's answer, or altered bytes
 * - `lose-requests`: some requests are answered 200 with an empty page, and never sent
 *
 * It reads plain HTTP; TLS passes through it unharmed.
 */
export class Saboteur {
  readonly #mode: NonNullable<SimulatorKnobs['sabotage']>
  readonly #probability: number
  readonly #random: () => number
  #otherBody: Buffer | null = null

  constructor(mode: NonNullable<SimulatorKnobs['sabotage']>, probability: number, random: () => number) {
    this.#mode = mode
    this.#probability = probability
    this.#random = random
  }

  /** Puts itself between a client and its connection to a site. */
  stepInto(connection: Duplex): Duplex {
    const [clientSide, ownSide] = duplexPair()
    // Destroyed without a reason of its own, the pair would end as if all were well.
    connection.on('error', (error) => clientSide.destroy(error))
    clientSide.on('close', () => connection.destroy())
    ownSide.once('data', (first: Buffer) => {
      ownSide.pause()
      ownSide.unshift(first)
      if (first[0] === TLS_HANDSHAKE) join(ownSide, connection)
      else this.#serve(ownSide, connection)
    })
    return clientSide
  }

  #serve(client: Duplex, connection: Duplex): void {
    const site = new Agent({ keepAlive: true, maxSockets: 1 })
    site.createConnection = () => connection
    const server = createServer((req, res) => void this.#answer(req, res, site))
    server.on('clientError', () => client.destroy())
    client.on('close', () => site.destroy())
    server.emit('connection', client)
    client.resume()
  }

  async #answer(req: IncomingMessage, res: ServerResponse, site: Agent): Promise<void> {
    const isChosen = this.#random() < this.#probability
    if (isChosen && this.#mode === 'lose-requests') {
      req.resume()
      res.writeHead(200, { 'content-type': 'text/html', 'content-length': '0' }).end()
      return
    }
    try {
      await this.#forward(req, res, site, isChosen)
    } catch {
      res.destroy()
    }
  }

  async #forward(req: IncomingMessage, res: ServerResponse, site: Agent, isChosen: boolean): Promise<void> {
    const outgoing = request({ agent: site, method: req.method ?? 'GET', path: req.url ?? '/', headers: req.rawHeaders })
    req.pipe(outgoing)
    const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve)
      outgoing.once('error', reject)
    })
    const status = incoming.statusCode ?? 502
    if (this.#mode !== 'wrong-answers') {
      res.writeHead(status, incoming.rawHeaders)
      incoming.pipe(res)
      return
    }
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of incoming) {
      chunks.push(chunk as Buffer)
      bytes += (chunk as Buffer).length
      if (bytes > MAX_ALTERED_BYTES) throw new Error('too large to be altered')
    }
    const body = Buffer.concat(chunks)
    if (body.length === 0) {
      res.writeHead(status, incoming.rawHeaders).end()
      return
    }
    const answer = isChosen ? this.#wrong(body) : body
    this.#otherBody = body
    res.writeHead(status, [...withoutFraming(incoming.rawHeaders), 'Content-Length', String(answer.length)]).end(answer)
  }

  #wrong(body: Buffer): Buffer {
    if (this.#otherBody && !this.#otherBody.equals(body)) return this.#otherBody
    const altered = Buffer.from(body)
    const at = Math.floor(this.#random() * altered.length)
    altered[at] = (altered[at] ?? 0) ^ 1
    return altered
  }
}

/** The fields of a message whose body is framed anew. */
function withoutFraming(raw: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] ?? ''
    if (!/^(content-length|transfer-encoding|connection)$/i.test(name)) kept.push(name, raw[i + 1] ?? '')
  }
  return kept
}

function join(one: Duplex, other: Duplex): void {
  one.pipe(other).pipe(one)
  one.on('error', () => other.destroy())
}
