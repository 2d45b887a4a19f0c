import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'

/** Errors in the log: what and where, but not what drivers attach to theirs (statements, parameters). */
function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  const code = (error as NodeJS.ErrnoException).code
  return { type: name, code, message, stack, ...(cause === undefined ? {} : { cause: errorFields(cause) }) }
}

/** The hub's log, on stderr: for people on a terminal, one JSON object a line elsewhere. */
export function createLog(level: string): Logger {
  const options = {
    level,
    base: null,
    serializers: { err: errorFields },
    redact: { paths: ['req.headers', '*.headers.authorization', '*.headers["x-api-key"]', '*.headers.cookie'], remove: true },
  }
  if (!process.stderr.isTTY) return pino(options, pino.destination({ dest: 2, sync: true }))
  return pino(options, pretty({ colorize: true, destination: 2, sync: true, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' }))
}
