import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'

/** More than the kernel queues for a listener that asks for the least. */
const FILLING = 8

/** A server that has gone silent in mid-air: a stopped process whose queue of connections is full, so that the kernel drops every SYN. */
export async function startBlackHole(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const script = `require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () { console.log(this.address().port) })`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(String(line))
  child.kill('SIGSTOP')
  const filling = Array.from({ length: FILLING }, () => net.connect({ port, host: '127.0.0.1' }).on('error', () => {}))
  // The first ones stand; once they do, the rest has found the queue full.
  await once(filling[0] as net.Socket, 'connect')
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      for (const socket of filling) socket.destroy()
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}
