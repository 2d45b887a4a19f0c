import { between, seeded } from '../seeded.ts'

/** Random bytes that bodies are cut from: no two places are alike, so a piece in the wrong place shows. */
const NOISE = (() => {
  const random = seeded(7)
  return Buffer.from(Array.from({ length: 1 << 18 }, () => between(random, 0, 255)))
})()

/** What a chaos origin says in the first line of its answer. */
export interface Mark {
  /** The request, as the client numbers it. */
  readonly id: string
  /** The answer, as the origin numbers it: two answers to one request differ, so that a splice of the two shows. */
  readonly serial: number
  /** Length of what follows the first line. */
  readonly bytes: number
  /** Hash of the request's body, as it arrived. */
  readonly received: string
}

export function* markedBody(mark: Mark): Generator<Buffer> {
  yield Buffer.from(`${JSON.stringify(mark)}\n`)
  for (let sent = 0; sent < mark.bytes; ) {
    const piece = noiseAt(mark, sent)
    sent += piece.length
    yield piece
  }
}

export const markedLength = (mark: Mark): number => JSON.stringify(mark).length + 1 + mark.bytes

/** Reads a body; undefined when any byte of it is not as `markedBody` makes it. */
export function readMarkedBody(body: Buffer): Mark | undefined {
  const end = body.indexOf('\n')
  if (end < 0) return undefined
  const mark = JSON.parse(body.toString('utf8', 0, end)) as Mark
  const rest = body.subarray(end + 1)
  if (rest.length !== mark.bytes) return undefined
  for (let at = 0; at < rest.length; ) {
    const piece = noiseAt(mark, at)
    if (!rest.subarray(at, at + piece.length).equals(piece)) return undefined
    at += piece.length
  }
  return mark
}

function noiseAt({ serial, bytes }: Mark, at: number): Buffer {
  const place = (serial * 7_919 + at) % NOISE.length
  return NOISE.subarray(place, Math.min(NOISE.length, place + 65_536, place + bytes - at))
}
