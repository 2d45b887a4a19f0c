// Run: node examples/proxy-server.mjs, then curl -x http://parser:PASSWORD@127.0.0.1:PORT https://example.com
import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { createProxyServer, fixedCredentials } from '@mobilepool/sdk/proxy-server'

// A forward proxy of your own: HTTP, CONNECT and SOCKS5 on one port. How it reaches targets is up to you.
const password = randomBytes(12).toString('base64url')
const server = createProxyServer({
  authenticate: fixedCredentials({ username: 'parser', password }),
  connect: ({ host, port }) => net.connect({ host, port, allowHalfOpen: true, localAddress: process.env.LOCAL_ADDRESS }),
  onClose: ({ kind, target, status, bytesDown }) => console.log(kind, target, status, bytesDown),
})
const { port } = await server.listen(0, '127.0.0.1')
console.log(`http://parser:${password}@127.0.0.1:${port}`)
process.once('SIGTERM', () => server.close({ graceMs: 5_000 }))
