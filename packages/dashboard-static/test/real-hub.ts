import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

const main = join(import.meta.dirname, '..', '..', 'hub', 'dist', 'main.js')

/** Known beforehand, so that a hub that starts again takes it too. */
export const ADMIN_KEY = `mp_${'a'.repeat(43)}`

interface RunningHub {
  readonly url: string
  /** As a power cut would. */
  kill: () => Promise<void>
}

/** The built hub as a process of its own. */
export async function startRealHub(dataDir: string, port: number, env: Record<string, string> = {}): Promise<RunningHub> {
  if (!existsSync(main)) throw new Error('no built hub: npm run build')
  const hub: ChildProcess = spawn(process.execPath, [main, '--port', String(port), '--data-dir', dataDir], {
    env: { PATH: process.env.PATH, MOBILEPOOL_ADMIN_KEY: ADMIN_KEY, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise((resolve) => hub.once('exit', resolve))
  const kill = async (): Promise<void> => {
    hub.kill('SIGKILL')
    await exited
  }
  onTestFinished(kill)
  let said = ''
  const url = await new Promise<string>((resolve, reject) => {
    for (const output of [hub.stdout, hub.stderr]) {
      output?.setEncoding('utf8').on('data', (text: string) => {
        said += text
        const [address] = /http:\/\/127\.0\.0\.1:\d+\//.exec(said) ?? []
        if (address) resolve(address)
      })
    }
    void exited.then(() => reject(new Error(`the hub ended:\n${said}`)))
  })
  return { url, kill }
}

/** A data directory that is gone after the test. */
export function newDataDir(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mobilepool-page-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A request from a source address of its own, as a device with that exit IP would send it. */
export function send(
  url: string,
  from: string,
  { method = 'GET', key, body }: { method?: string; key?: string; body?: unknown } = {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers = { ...(key ? { authorization: `Bearer ${key}` } : {}), ...(body ? { 'content-type': 'application/json' } : {}) }
    const sent = request(url, { method, headers, localAddress: from, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
      response.on('end', () => {
        if ((response.statusCode ?? 500) >= 300) reject(new Error(`${method} ${url}: ${response.statusCode} ${text}`))
        else resolve(text === '' ? null : JSON.parse(text))
      })
    })
    sent.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body))
  })
}
