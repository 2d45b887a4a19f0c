import { chmod, rm } from 'node:fs/promises'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { AgentError } from '../errors.ts'

// An ESM `import` of node:http reads all of its exports, lazy ones too: on Node 24 that installs the built-in undici's global dispatcher.
const { createServer } = process.getBuiltinModule('node:http')

const MAX_BODY_BYTES = 64 * 1024
/** Linux gives the path of a socket 108 bytes, the last of them a zero (unix(7)). */
const MAX_PATH_BYTES = 107

/** Where the agent of a state folder is asked. */
export const controlSocketOf = (stateDir: string): string => join(stateDir, 'agent.sock')

/** One thing that a running agent can be asked: `GET /status`. What it returns is the answer; a generator's values are one JSON a line. */
export type ControlRoute = (body: unknown, gone: AbortSignal) => Promise<unknown> | AsyncIterable<unknown>

/** What the agent can be asked while it runs. */
export interface ControlServer {
  close(): Promise<void>
}

/**
 * Lets the user of the state folder, and nobody else, ask the running agent: a Unix socket in that folder. Without it the agent works all
 * the same, so what is wrong with it is only told.
 */
export async function serveControl(stateDir: string, routes: Readonly<Record<string, ControlRoute>>, log: Logger): Promise<ControlServer> {
  const path = controlSocketOf(stateDir)
  const server = createServer((request, response) => void answer(request, response, routes))
  try {
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw new Error(`${path} is longer than ${MAX_PATH_BYTES} bytes`)
    // The lock of the folder is ours: a socket that is there was left by an agent that was killed.
    await rm(path, { force: true })
    await listen(server, path)
    await chmod(path, 0o600)
  } catch (error) {
    log.warn({ reason: (error as Error).message }, 'this agent cannot be asked for its status: no socket')
  }
  return {
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function answer(request: IncomingMessage, response: ServerResponse, routes: Readonly<Record<string, ControlRoute>>): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  const send = (status: number, json: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(json)}\n`)
  }
  try {
    const route = routes[`${request.method} ${request.url}`]
    if (!route)
      return send(404, { code: 'bad_config', detail: `This agent knows no ${request.method} ${request.url}: is it of another version?` })
    const answered = route(await readBody(request), gone.signal)
    if (!(Symbol.asyncIterator in answered)) return send(200, (await answered) ?? null)
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    for await (const line of answered) response.write(`${JSON.stringify(line)}\n`)
    response.end()
  } catch (error) {
    if (response.headersSent) return void response.destroy()
    const isExpected = error instanceof AgentError
    send(isExpected ? 409 : 500, {
      code: isExpected ? error.code : 'internal',
      detail: error instanceof Error ? error.message : String(error),
    })
  }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes > MAX_BODY_BYTES) throw new AgentError('bad_config', 'The question is too long.')
    chunks.push(chunk as Buffer)
  }
  return bytes === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString())
}
