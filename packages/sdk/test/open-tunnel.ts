import net from 'node:net'

/** A connection through CONNECT, from where it stands. */
export function openTunnel(proxyUrl: string, port: number): Promise<net.Socket> {
  const { hostname, port: proxyPort, username, password } = new URL(proxyUrl)
  const socket = net.connect(Number(proxyPort), hostname)
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  socket.on('error', () => {})
  socket.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nProxy-Authorization: Basic ${credentials}\r\n\r\n`)
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('closed before it stood')))
    socket.once('data', (head: Buffer) => {
      if (!/^HTTP\/1\.1 200 /.test(head.toString())) reject(new Error(head.toString()))
      // Read on, or the end of the connection is never seen.
      resolve(socket.resume())
    })
  })
}
