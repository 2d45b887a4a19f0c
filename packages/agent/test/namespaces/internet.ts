/**
 * What is in the internet's namespace: a site that says who asks, and a name server that knows every name, those that begin with `six` by
 * IPv6 alone. Each visit is a line of JSON.
 */
import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'

const [site = '', site6 = '', names = ''] = process.argv.slice(2)
const AAAA = 28
const note = (visit: object): void => void process.stdout.write(`${JSON.stringify(visit)}\n`)

const server = createServer((request, response) => {
  const from = request.socket.remoteAddress?.replace('::ffff:', '')
  note({ kind: 'http', from, path: request.url })
  response.writeHead(200, { 'content-type': 'application/json' })
  if (request.url === '/endless') response.write('{')
  else response.end(JSON.stringify({ ip: from }))
})

const socket = createSocket('udp4')
socket.on('message', (query, { address, port }) => {
  note({ kind: 'dns', from: address })
  // RFC 1035 section 4: the header, the question as it came (a name's labels end with a zero), one record or none.
  const end = query.indexOf(0, 12) + 5
  const header = Buffer.from(query.subarray(0, 12))
  header.writeUInt16BE(0x8180, 2)
  const type = query.readUInt16BE(end - 4)
  const isKnown = (type === AAAA) === (query.toString('latin1', 13, 16) === 'six')
  header.writeUInt16BE(Number(isKnown), 6)
  header.writeUInt32BE(0, 8)
  const data = type === AAAA ? bytesOf6(site6) : Buffer.from(site.split('.').map(Number))
  const record = Buffer.concat([Buffer.from([0xc0, 0x0c, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length]), data])
  socket.send(Buffer.concat([header, query.subarray(12, end), ...(isKnown ? [record] : [])]), port, address)
})

/** Of an address with one `::`. */
function bytesOf6(address: string): Buffer {
  const [front = [], back = []] = address.split('::').map((half) => half.split(':').map((part) => Number.parseInt(part, 16)))
  const words = [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back]
  return Buffer.from(words.flatMap((word) => [word >> 8, word & 0xff]))
}

// Both versions: the site's addresses are all that the namespace has.
await new Promise<void>((resolve) => server.listen(80, '::', resolve))
await new Promise<void>((resolve) => socket.bind(53, names, resolve))
note({ kind: 'ready' })
