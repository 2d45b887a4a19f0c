import { isUtf8 } from 'node:buffer'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import type { AttemptReport } from '../../errors.ts'

/** How the pool got an answer. */
export interface Carriage {
  readonly device: string | null
  readonly exitIp: string | null
  readonly attempts: number
  readonly failedAttempts: readonly AttemptReport[]
  readonly durationMs: number
}

/** An answer in one JSON object is held in memory. */
const LONGEST_JSON_BODY = 67_108_864

/** The pool adds these to answers; they are not the site's. */
const isOurs = (name: string): boolean => name.startsWith('x-mobilepool-')

/** The site's headers. */
export const headersOf = (response: Response): [string, string][] => [...response.headers].filter(([name]) => !isOurs(name))

/** The head of an answer as HTTP/1.1 writes it. */
export const headText = (response: Response): string =>
  `HTTP/1.1 ${response.status} ${response.statusText}\n${headersOf(response)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('')}\n`

/** One line for people. */
export const summary = (response: Response, { device, exitIp, attempts, durationMs }: Carriage): string =>
  `${response.status}${response.statusText === '' ? '' : ` ${response.statusText}`} through ${device ?? 'an unnamed device'}, exit IP ${exitIp ?? 'unknown'}, ${
    attempts === 1 ? '1 attempt' : `${attempts} attempts`
  }, ${durationMs} ms`

/** One line on an attempt that failed. */
export const attemptText = ({ device, kind, phase, statusCode, errno, durationMs }: AttemptReport): string =>
  `${device}: ${kind}${statusCode === undefined ? '' : ` ${statusCode}`}${errno === undefined ? '' : ` ${errno}`} (${phase}, ${durationMs} ms)`

/** Writes the body somewhere as it comes. */
export async function writeBody(response: Response, to: NodeJS.WritableStream): Promise<void> {
  if (response.body !== null) await pipeline(Readable.fromWeb(response.body as ReadableStream), to, { end: false })
}

/** Writes the body into a file that appears when it is whole. */
export async function saveBody(response: Response, file: string): Promise<void> {
  const partial = `${file}.part`
  try {
    const body = response.body === null ? Readable.from([]) : Readable.fromWeb(response.body as ReadableStream)
    await pipeline(body, createWriteStream(partial))
    await rename(partial, file)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

/** The body for a JSON object: as text where it is UTF-8, else base64. Throws when it is larger than a person would want in there. */
export async function bodyFields(response: Response): Promise<{ body: string } | { body_base64: string }> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response.body === null ? [] : Readable.fromWeb(response.body as ReadableStream)) {
    chunks.push(chunk as Buffer)
    bytes += (chunk as Buffer).length
    if (bytes > LONGEST_JSON_BODY) throw new Error(`the body is longer than ${LONGEST_JSON_BODY} bytes: use --output FILE`)
  }
  const whole = Buffer.concat(chunks)
  return isUtf8(whole) ? { body: whole.toString() } : { body_base64: whole.toString('base64') }
}
