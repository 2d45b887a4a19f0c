import type { Http2Session } from 'node:http2'
import type { Duplex } from 'node:stream'

/**
 * Calls `onEnd` once, at the first sign that a session is over, and destroys both it and its connection then. The session's own events are
 * not enough: on TLS, with a write under way, a peer's reset can leave session and socket without any (reference: tunnel.md, pitfall 3).
 * Returns what ends it.
 */
export function guardSession(session: Http2Session, socket: Duplex, onEnd: (reason: string) => void): (reason: string) => void {
  let isOver = false
  const end = (reason: string): void => {
    if (isOver) return
    isOver = true
    onEnd(reason)
    if (!session.destroyed) session.destroy()
    if (!socket.destroyed) socket.destroy()
  }
  session.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
  session.on('close', () => end('closed'))
  session.on('goaway', (code) => {
    if (code !== 0) end(`the other end gave up (HTTP/2 error ${code})`)
  })
  socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
  socket.on('end', () => end('closed by the other end'))
  socket.on('close', () => end('closed'))
  return end
}
