import { spawn } from 'node:child_process'

/** What a process came to. */
export interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs Node and waits for its end, at most a minute. The event loop stays free: what the process talks to may live in this one. */
export function runNode(node: string, args: readonly string[], cwd?: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(node, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000, env: { ...process.env, NODE_OPTIONS: '' } })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.on('error', reject).on('close', (status) => resolve({ status, stdout, stderr }))
  })
}
