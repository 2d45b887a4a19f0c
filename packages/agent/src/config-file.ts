import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { AgentError } from './errors.ts'

/** The folder of an agent that was told no other. */
export const agentHome = (): string => join(homedir(), '.mobilepool')

/** The file that `enroll` writes and the other commands read when they are told no other. */
export const usualConfigFile = (): string => join(agentHome(), 'agent.json')

/** A configuration file as it was read. */
export interface ConfigFile {
  readonly path: string
  readonly text: string
  readonly content: Readonly<Record<string, unknown>>
}

/** Reads a JSON file. Null when there is none. Throws `bad_config` with the line that is no JSON. */
export function readConfigFile(path: string): ConfigFile | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return null
    throw new AgentError('bad_config', `--config: ${path} cannot be read (${code}).`)
  }
  return { path, text, content: parseObject(text, path) }
}

/** Parses a JSON object. Throws `bad_config` saying where it was from and, in a text of several lines, in which line the fault is. */
export function parseObject(text: string, from: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const { message } = error as Error
    const at = /position (\d+)/.exec(message)?.[1]
    // "Unexpected end of JSON input" has no position.
    const line = text.slice(0, at === undefined ? text.length : Number(at)).split('\n').length
    const isLong = text.trim().includes('\n')
    throw new AgentError('bad_config', `${from}${isLong ? `, line ${line},` : ''} is not JSON: ${message}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AgentError('bad_config', `${from} must hold a JSON object.`)
  return { ...value }
}

/** The line, from 1, in which a value of a JSON text begins; that of the nearest outer value when there is none at the path. */
export function lineOf(text: string, path: readonly PropertyKey[]): number {
  const lines = new Map<string, number>()
  const names: (string | number)[] = []
  const isArray: boolean[] = []
  let line = 1
  let isKey: boolean = false
  const note = (): void => {
    const key = JSON.stringify(names.map(String))
    if (!lines.has(key)) lines.set(key, line)
  }
  for (const [token] of text.matchAll(/"(?:\\.|[^"\\])*"|[{}[\],:\n]|[^\s{}[\],:"]+/g)) {
    if (token === '\n') line += 1
    else if (token === '{' || token === '[') {
      note()
      isArray.push(token === '[')
      names.push(token === '[' ? 0 : '')
      isKey = token === '{'
    } else if (token === '}' || token === ']') {
      isArray.pop()
      names.pop()
    } else if (token === ',') {
      const last = names.pop()
      names.push(typeof last === 'number' ? last + 1 : '')
      isKey = isArray.at(-1) === false
    } else if (token === ':') isKey = false
    else if (isKey) {
      names.splice(-1, 1, JSON.parse(token) as string)
      note()
    } else note()
  }
  for (let length = path.length; length > 0; length -= 1) {
    const found = lines.get(JSON.stringify(path.slice(0, length).map(String)))
    if (found !== undefined) return found
  }
  return 1
}
