/** The site that the demo scrapes: on loopback, tells each visitor the address it saw, and bans an address that asks too often. */
import { createHmac, randomBytes, randomInt, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Page {
  id: string
  /** The remote address that the site saw. */
  address: string
  /** Proves that this site wrote this answer to this request. */
  signature: string
}

export interface TargetSite {
  url: string
  /** Whether the page is what this site answered to that request, unaltered. */
  isGenuine(page: Page): boolean
  /** Page id -> how often the site answered it with 200. */
  readonly served: ReadonlyMap<string, number>
  /** Every remote address that reached the site -> requests. */
  readonly visitors: ReadonlyMap<string, number>
  readonly bans: number
  close(): Promise<void>
}

interface BanRule {
  /** An address is banned after so many answers, by chance between the two... */
  afterRequests: readonly [least: number, most: number]
  /** ...for so long. */
  forMs: number
}

export async function startTargetSite({ afterRequests, forMs }: BanRule): Promise<TargetSite> {
  const secret = randomBytes(32)
  const served = new Map<string, number>()
  const visitors = new Map<string, number>()
  const recent = new Map<string, { left: number; bannedUntil: number }>()
  let bans = 0

  const sign = (id: string, address: string) => createHmac('sha256', secret).update(`${id}\n${address}`).digest('hex')
  const count = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1)

  function isBanned(address: string): boolean {
    const now = Date.now()
    const visitor = recent.get(address) ?? { left: randomInt(...afterRequests), bannedUntil: 0 }
    recent.set(address, visitor)
    if (visitor.bannedUntil > now) return true
    if (visitor.left > 0) {
      visitor.left -= 1
      return false
    }
    visitor.left = randomInt(...afterRequests)
    visitor.bannedUntil = now + forMs
    bans += 1
    return true
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const address = request.socket.remoteAddress ?? ''
    const id = request.url?.split('/').pop() ?? ''
    count(visitors, address)
    if (isBanned(address)) {
      response.writeHead(403, { 'content-type': 'text/plain' }).end('You have been blocked.\n')
      return
    }
    count(served, id)
    const page: Page = { id, address, signature: sign(id, address) }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(page))
  }

  const server = createServer((request, response) => {
    request.resume()
    request.once('end', () => answer(request, response))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    url: `http://127.0.0.1:${port}`,
    served,
    visitors,
    get bans() {
      return bans
    },
    isGenuine: (page) => {
      const expected = Buffer.from(sign(page.id, page.address))
      const given = Buffer.from(String(page.signature))
      return given.length === expected.length && timingSafeEqual(given, expected)
    },
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
