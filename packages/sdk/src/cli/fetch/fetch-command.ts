import { Command } from 'commander'
import { toSnake } from '../../contract/index.ts'
import { type AttemptReport, MobilePoolError } from '../../errors.ts'
import type { MobilePool } from '../../mobile-pool.ts'
import { collect, EXIT, UsageError, webUrl } from '../usage.ts'
import { attemptText, bodyFields, type Carriage, headersOf, headText, saveBody, summary, writeBody } from './answer-output.ts'
import { addPoolFlags, openPool, type PoolFlags, viewFrom } from './pool-flags.ts'

interface Flags extends PoolFlags {
  request?: string
  header?: string[]
  data?: string
  include?: true
  output?: string
  json?: true
}

const EXAMPLES = `
The body goes to standard output; which device carried it, its exit IP and failed attempts go to standard error.

Exit code: 0 an answer with a status below 400, 1 no answer or a status of 400 and above, 2 the command line is wrong.

Examples:
  MOBILEPOOL_TOKEN=... mobilepool fetch https://example.com/ --hub http://hub:3001 --filter operator=MTS
  mobilepool fetch https://example.com/ --proxy http://user:password@10.0.0.5:8080 -i -o page.html`

/** `mobilepool fetch`: one request through a pool. */
export const fetchCommand = (): Command =>
  addPoolFlags(
    new Command('fetch')
      .summary('one request through a pool')
      .description('Sends one request through the devices of a hub, or through given proxies. Never directly.')
      .argument('<url>', 'http:// or https:// URL', webUrl),
  )
    .option('-X, --request <method>', 'method (default GET, or POST with --data)')
    .option('-H, --header <name: value>', 'a header to send; may be repeated', collect)
    .option('-d, --data <text>', 'a body to send')
    .option('-i, --include', "write the answer's status and headers before the body")
    .option('-o, --output <file>', 'write the body to a file, which appears when it is whole')
    .option('--json', 'write one JSON object: status, headers, body, device, exit IP, attempts, or the error')
    .addHelpText('after', EXAMPLES)
    .action(async (url: URL, flags: Flags) => {
      if (flags.json && flags.include) throw new UsageError('--json holds the headers already: leave --include out')
      const init = readRequest(flags)
      const pool = openPool(flags, process.env)
      try {
        process.exitCode = await send(pool, url, init, flags)
      } finally {
        await pool.close({ timeoutMs: 0 })
      }
    })

async function send(pool: MobilePool, url: URL, init: RequestInit, flags: Flags): Promise<number> {
  const failedAttempts: AttemptReport[] = []
  pool.on('retry', ({ attempt }) => failedAttempts.push(attempt))
  const startedAt = performance.now()
  const sinceStart = (): number => Math.round(performance.now() - startedAt)
  try {
    const response = await pool.fetch(url, { ...init, ...viewFrom(flags), signal: AbortSignal.timeout(flags.timeout) })
    const device = response.headers.get('x-mobilepool-device')
    const carriage: Carriage = {
      device: device === null ? null : decodeURIComponent(device),
      exitIp: response.headers.get('x-mobilepool-ip'),
      attempts: Number(response.headers.get('x-mobilepool-attempts') ?? 1),
      failedAttempts,
      durationMs: sinceStart(),
    }
    if (flags.json) await writeJson(response, carriage, flags.output)
    else await writePlain(response, carriage, flags)
    return response.status < 400 ? EXIT.fine : EXIT.notFine
  } catch (thrown) {
    const error = describe(thrown, flags.timeout)
    if (flags.json) {
      process.stdout.write(
        `${JSON.stringify(toSnake({ url: url.href, error: { ...error, attempts: attemptsOf(thrown, failedAttempts) }, durationMs: sinceStart() }))}\n`,
      )
    } else {
      for (const attempt of attemptsOf(thrown, failedAttempts)) process.stderr.write(`${attemptText(attempt)}\n`)
      process.stderr.write(`mobilepool: ${error.message} (${error.code})\n`)
    }
    return EXIT.notFine
  }
}

async function writePlain(response: Response, carriage: Carriage, { include, output }: Flags): Promise<void> {
  for (const attempt of carriage.failedAttempts) process.stderr.write(`${attemptText(attempt)}\n`)
  process.stderr.write(`${summary(response, carriage)}\n`)
  if (include) process.stdout.write(headText(response))
  await (output === undefined ? writeBody(response, process.stdout) : saveBody(response, output))
}

async function writeJson(response: Response, carriage: Carriage, output: string | undefined): Promise<void> {
  const body = output === undefined ? await bodyFields(response) : { body_file: output }
  if (output !== undefined) await saveBody(response, output)
  const headers = headersOf(response).map(([name, value]) => ({ name, value }))
  const head = toSnake({ url: response.url, status: response.status, headers, ...carriage })
  process.stdout.write(`${JSON.stringify({ ...head, ...body })}\n`)
}

function readRequest({ request, header = [], data }: Flags): RequestInit {
  const headers = header.map((line): [string, string] => {
    const [, name = '', value = ''] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*)$/.exec(line) ?? []
    if (name === '') throw new UsageError(`--header ${JSON.stringify(line.split(':')[0])}: it must be "Name: value"`)
    return [name, value]
  })
  const method = (request ?? (data === undefined ? 'GET' : 'POST')).toUpperCase()
  if (!/^[A-Z]+$/.test(method)) throw new UsageError(`--request ${method}: it must be a method like GET or POST`)
  if (data !== undefined && (method === 'GET' || method === 'HEAD')) throw new UsageError(`--data: a ${method} request has no body`)
  return { method, headers, ...(data === undefined ? {} : { body: data }) }
}

/** In plain words what went wrong, and a code to switch on. */
function describe(thrown: unknown, timeoutMs: number): { code: string; message: string } {
  if (thrown instanceof DOMException && thrown.name === 'TimeoutError')
    return { code: 'TIMEOUT', message: `no whole answer within ${timeoutMs} ms` }
  const cause = thrown instanceof Error ? thrown.cause : undefined
  // `fetch failed` says nothing; what it wraps does, e.g. `bad port`.
  const error = poolErrorIn(thrown) ?? (cause instanceof Error ? cause : thrown)
  if (error instanceof MobilePoolError) return { code: error.code, message: error.message }
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERROR'
  return { code, message: error instanceof Error ? error.message : String(error) }
}

const attemptsOf = (thrown: unknown, noted: readonly AttemptReport[]): readonly AttemptReport[] => poolErrorIn(thrown)?.attempts ?? noted

/** `fetch` wraps what ends a body; the pool's own error is inside. */
function poolErrorIn(thrown: unknown): MobilePoolError | undefined {
  if (thrown instanceof MobilePoolError) return thrown
  return thrown instanceof Error && thrown.cause instanceof MobilePoolError ? thrown.cause : undefined
}
