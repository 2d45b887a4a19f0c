import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type Duplex, duplexPair } from 'node:stream'
import type { SimulatorKnobs } from './knobs.ts'

const TLS_HANDSHAKE = 0x16
/** Larger answers pass unharmed: the saboteur keeps what it alters in memory. */
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
    const length = Number(incoming.headers['content-length'])
    if (this.#mode !== 'wrong-answers' || !(length > 0 && length <= MAX_ALTERED_BYTES)) {
      res.writeHead(incoming.statusCode ?? 502, incoming.rawHeaders)
      incoming.pipe(res)
      return
    }
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const answer = isChosen ? this.#wrong(body) : body
    this.#otherBody = body
    const headers = incoming.rawHeaders.map((text, at, all) =>
      at % 2 === 1 && all[at - 1]?.toLowerCase() === 'content-length' ? String(answer.length) : text,
    )
    res.writeHead(incoming.statusCode ?? 502, headers).end(answer)
  }

  #wrong(body: Buffer): Buffer {
    if (this.#otherBody && !this.#otherBody.equals(body)) return this.#otherBody
    const altered = Buffer.from(body)
    const at = Math.floor(this.#random() * altered.length)
    altered[at] = (altered[at] ?? 0) ^ 1
    return altered
  }
}

function join(one: Duplex, other: Duplex): void {
  one.pipe(other).pipe(one)
  one.on('error', () => other.destroy())
}
