import type { IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { AgentError, type AgentErrorCode } from '../errors.ts'
import { controlSocketOf } from './control-server.ts'

const { request } = process.getBuiltinModule('node:http')

const refusal = z.object({ code: z.string(), detail: z.string() })

/** Asks the running agent of a state folder; yields each line of its answer. Throws `not_running`, and what the agent refuses with. */
export async function* askAgent(stateDir: string, method: 'GET' | 'POST', path: string, body?: unknown): AsyncGenerator<unknown> {
  const response = await send(stateDir, method, path, body)
  const lines: unknown[] = []
  const isStream = response.headers['content-type'] === 'application/x-ndjson'
  for await (const line of createInterface({ input: response })) {
    if (isStream) yield JSON.parse(line)
    else lines.push(JSON.parse(line))
  }
  if (isStream) return
  if (response.statusCode === 200) return yield lines[0]
  const { code, detail } = refusal.parse(lines[0])
  throw new AgentError(code as AgentErrorCode, detail)
}

/** Asks for one answer. */
export async function askOnce(stateDir: string, method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
  for await (const answer of askAgent(stateDir, method, path, body)) return answer
  throw new AgentError('not_running', `The agent of ${stateDir} ended before it answered.`)
}

function send(stateDir: string, method: string, path: string, body: unknown): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: controlSocketOf(stateDir), method, path, headers: { 'content-type': 'application/json' } }, resolve)
    asked.on('error', (error: NodeJS.ErrnoException) => {
      const isAbsent = error.code === 'ENOENT' || error.code === 'ECONNREFUSED' || error.code === 'ENOTDIR'
      const why = error.code === 'EACCES' ? 'it belongs to another user' : isAbsent ? 'start it with mobilepool-agent run' : error.code
      reject(new AgentError('not_running', `No agent can be asked in ${stateDir}: ${why}.`, { cause: error }))
    })
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
