/** What is in the internet's namespace: a site that says who asks, and a name server that knows every name. Each visit is a line of JSON. */
import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'

const [site = '', names = ''] = process.argv.slice(2)
const note = (visit: object): void => void process.stdout.write(`${JSON.stringify(visit)}\n`)

const server = createServer((request, response) => {
  note({ kind: 'http', from: request.socket.remoteAddress, path: request.url })
  response.writeHead(200, { 'content-type': 'application/json' })
  if (request.url === '/endless') response.write('{')
  else response.end(JSON.stringify({ ip: request.socket.remoteAddress }))
})

const socket = createSocket('udp4')
socket.on('message', (query, { address, port }) => {
  note({ kind: 'dns', from: address })
  // RFC 1035 section 4: the header, the question as it came (a name's labels end with a zero), one A record.
  const end = query.indexOf(0, 12) + 5
  const header = Buffer.from(query.subarray(0, 12))
  header.writeUInt16BE(0x8180, 2)
  header.writeUInt16BE(1, 6)
  header.writeUInt32BE(0, 8)
  const record = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...site.split('.').map(Number)])
  socket.send(Buffer.concat([header, query.subarray(12, end), record]), port, address)
})

await new Promise<void>((resolve) => server.listen(80, site, resolve))
await new Promise<void>((resolve) => socket.bind(53, names, resolve))
note({ kind: 'ready' })
