/**
 * A device that has nothing of ours on it: a crontab line with `curl`. Cron's finest step is a minute; the demo beats every few
 * seconds so that there is something to see. Every few beats it calls from its next address, as after a reconnect.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface CrontabDevice {
  readonly beats: number
  readonly lastReply: string
  stop(): void
}

/** Null where there is no `curl`. */
export async function startCrontabDevice(
  hubUrl: string,
  name: string,
  addresses: readonly string[],
  everyMs: number,
): Promise<CrontabDevice | null> {
  const hasCurl = await run('curl', ['--version']).then(
    () => true,
    () => false,
  )
  if (!hasCurl) return null

  let beats = 0
  let lastReply = ''
  const stopping = new AbortController()

  async function beat(): Promise<void> {
    const address = addresses[Math.floor(beats / 4) % addresses.length] ?? '127.0.0.1'
    const url = `${hubUrl}/proxy_server?name=${name}`
    const reply = await run('curl', ['-fsS', '-m', '10', '--interface', address, url], { signal: stopping.signal }).catch(() => null)
    if (!reply) return
    beats += 1
    lastReply = reply.stdout.trim()
  }

  const timer = setInterval(() => void beat(), everyMs)
  await beat()
  return {
    get beats() {
      return beats
    },
    get lastReply() {
      return lastReply
    },
    stop: () => {
      clearInterval(timer)
      stopping.abort()
    },
  }
}
