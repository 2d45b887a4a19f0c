import type { AddressInfo } from 'node:net'
import { AgentError } from './errors.ts'

const { createServer } = process.getBuiltinModule('node:http')

/** Serves the metrics of a process at `/metrics`. Returns where, and how it is ended. Throws `bad_config` when the port cannot be had. */
export async function serveMetrics(
  { host, port }: { host: string; port: number },
  render: () => string,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') response.writeHead(404).end('There is only /metrics.\n')
    else response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(render())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new AgentError('bad_config', `The metrics cannot listen on ${host}:${port} (${error.code}). Give another --metrics.`, {
          cause: error,
        }),
      ),
    )
    server.listen(port, host, resolve)
  })
  const { port: taken } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}/metrics`,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
