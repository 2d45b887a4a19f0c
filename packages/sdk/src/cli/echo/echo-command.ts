import { isIPv6 } from 'node:net'
import { Command } from 'commander'
import { UsageError, wholeNumber } from '../usage.ts'
import { startEchoServer } from './echo-server.ts'

/** `mobilepool echo`: what `check --echo` asks, on a machine of your own. Runs until it is interrupted. */
export const echoCommand = (): Command =>
  new Command('echo')
    .summary('run an echo that tells callers their address and headers')
    .description('Runs an HTTP echo for `mobilepool check --echo`: it answers with the address and the headers it saw, as JSON.')
    .option('--port <port>', 'where to listen; 0 takes a free port', wholeNumber(0, 65_535), 0)
    .option('--host <address>', 'address to listen on; 0.0.0.0 to be reached from elsewhere', '127.0.0.1')
    .action(async ({ port, host }: { port: number; host: string }) => {
      const echo = await startEchoServer({ port, host }).catch((error: NodeJS.ErrnoException) => {
        throw new UsageError(`cannot listen on ${host} port ${port} (${error.code ?? error.message})`)
      })
      process.stdout.write(`http://${isIPv6(echo.host) ? `[${echo.host}]` : echo.host}:${echo.port}/\n`)
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void echo.close())
    })
