import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A target that takes no connection and refuses none: its queue is full, and nobody empties it. */
export interface DeafTarget {
  readonly url: string
  close(): void
}

/** Fills the queue of a process that is stopped. */
export async function startDeafTarget(): Promise<DeafTarget> {
  const program = `const server = require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => console.log(server.address().port))`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(chunk.toString())
  child.kill('SIGSTOP')
  const fillers: Socket[] = []
  // A queue of one holds two (Linux: tcp_v4_conn_request lets in while it is not above the backlog); those after them find it full.
  for (let count = 0; count < 2; count += 1) {
    const filler = connect(port, '127.0.0.1')
    fillers.push(filler)
    await once(filler, 'connect')
  }
  return {
    url: `http://127.0.0.1:${port}/`,
    close() {
      for (const filler of fillers) filler.destroy()
      child.kill('SIGKILL')
    },
  }
}
