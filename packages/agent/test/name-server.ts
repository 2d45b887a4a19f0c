import { createSocket, type Socket } from 'node:dgram'

/** A DNS server on loopback that knows the names a test gives it, and notes who asked. */
export class NameServer {
  /** IPv4 addresses by name; an unknown name is NXDOMAIN. */
  readonly names = new Map<string, { addresses: string[]; ttl: number }>()
  /** Every question, and from which address it came. */
  readonly questions: { name: string; from: string }[] = []
  readonly #socket: Socket = createSocket('udp4')
  /** Whether it answers at all. */
  isSilent: boolean = false

  /** Starts it; returns its `address:port` for `setServers`. */
  async start(): Promise<string> {
    this.#socket.on('message', (query, { address, port }) => {
      const name = nameIn(query)
      this.questions.push({ name, from: address })
      if (!this.isSilent) this.#socket.send(this.#answer(query, name), port, address)
    })
    await new Promise<void>((resolve) => this.#socket.bind(0, '127.0.0.1', resolve))
    return `127.0.0.1:${this.#socket.address().port}`
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()))
  }

  /** RFC 1035 section 4: header, the question repeated, then one A record an address. */
  #answer(query: Buffer, name: string): Buffer {
    const known = this.names.get(name)
    const addresses = known?.addresses ?? []
    const header = Buffer.alloc(12)
    query.copy(header, 0, 0, 2)
    header.writeUInt16BE(known ? 0x8180 : 0x8183, 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(addresses.length, 6)
    const question = query.subarray(12, 12 + name.length + 2 + 4)
    const records = addresses.map((address) => {
      const record = Buffer.alloc(16)
      record.writeUInt16BE(0xc00c, 0)
      record.writeUInt16BE(1, 2)
      record.writeUInt16BE(1, 4)
      record.writeUInt32BE(known?.ttl ?? 0, 6)
      record.writeUInt16BE(4, 10)
      Buffer.from(address.split('.').map(Number)).copy(record, 12)
      return record
    })
    return Buffer.concat([header, question, ...records])
  }
}

function nameIn(query: Buffer): string {
  const labels: string[] = []
  for (let at = 12; query[at]; at += (query[at] ?? 0) + 1) labels.push(query.toString('latin1', at + 1, at + 1 + (query[at] ?? 0)))
  return labels.join('.').toLowerCase()
}
