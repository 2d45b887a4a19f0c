import type { RotationConfig } from '../../../store/index.ts'

/** A shorter piece of a URL is a word like `api` or `reset`, not a credential. */
const SHORTEST_SECRET = 6

/** Everything in a device's rotation settings that may be a credential, as it may turn up in somebody's answer. */
export function secretsOf(config: RotationConfig, url: string): string[] {
  const pieces = url.split(/[/?&=#@:;,]+/).flatMap((piece) => [piece, decoded(piece)])
  const values = [config.rotationToken, config.rotationBody, ...Object.values(config.rotationHeaders ?? {})]
  return [url, ...values, ...pieces].filter((text): text is string => text !== null && text.length >= SHORTEST_SECRET)
}

/** A foreign text on one line, short, and without the secrets. */
export function quote(text: string, secrets: readonly string[]): string {
  let clean = text
  for (const secret of secrets.toSorted((a, b) => b.length - a.length)) clean = clean.replaceAll(secret, '***')
  const line = clean
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/[\s\p{C}]+/gu, ' ')
    .trim()
  return line.length > 120 ? `${line.slice(0, 117)}...` : line
}

function decoded(piece: string): string {
  try {
    return decodeURIComponent(piece)
  } catch {
    return piece
  }
}
