import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { localhostCertificate } from './servers/certificate.ts'
import type { SeenRequest } from './servers/origin.ts'

const folder = mkdtempSync(join(tmpdir(), 'mobilepool-listen-'))
const ca = join(folder, 'ca.pem')
writeFileSync(ca, localhostCertificate.cert)
afterAll(() => rmSync(folder, { recursive: true }))

/** What came of a call of curl. */
export interface CurlAnswer {
  /** What curl exits with; 0: all went well. */
  readonly exit: number
  /** Of the last head; 0: there was none. */
  readonly status: number
  /** Of the answer to CONNECT; 0: there was none. */
  readonly connectStatus: number
  readonly head: string
  readonly body: string
}

/** The real curl, in a process of its own; it trusts the certificate of the test's servers. */
export const curl = (...args: string[]): Promise<CurlAnswer> => run('', args)

/** The same with something on its standard input. */
curl.withInput = (input: string, ...args: string[]): Promise<CurlAnswer> => run(input, args)

function run(input: string, args: string[]): Promise<CurlAnswer> {
  const heads = join(folder, `heads-${Math.random()}`)
  const body = `${heads}.body`
  const fixed = ['--silent', '--max-time', '20', '--cacert', ca, '--dump-header', heads, '--write-out', '\n%{http_code} %{http_connect}\n']
  return new Promise((resolve) => {
    const child = execFile('curl', ['--output', body, ...fixed, ...args], { env: { PATH: process.env.PATH } }, (error, stdout) => {
      const [status = '0', connectStatus = '0'] = stdout.trim().split('\n').at(-1)?.split(' ') ?? []
      void Promise.all([read(heads), read(body)]).then(([head, text]) => {
        resolve({ exit: Number(error?.code ?? 0), status: Number(status), connectStatus: Number(connectStatus), head, body: text })
      })
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')

/** What the origin says that it saw. */
export const seenIn = ({ body }: CurlAnswer): SeenRequest => JSON.parse(body) as SeenRequest
