/** The leaves of an answer by their names. The device's XML is flat where we read it. */
export type Fields = Readonly<Record<string, string | undefined>>

/** What an answer says; an `<error>` has a code. Null when it is neither: a captive page, half an answer. */
export function readAnswer(text: string): { readonly fields: Fields; readonly errorCode: number | null } | null {
  const root = /<(response|error)>([\s\S]*)<\/\1>/.exec(text)
  if (!root) return null
  const fields: Record<string, string> = Object.create(null)
  for (const [, name = '', value = ''] of (root[2] ?? '').matchAll(/<([\w-]+)>([^<]*)<\/\1>/g)) fields[name] = decoded(value.trim())
  return { fields, errorCode: root[1] === 'error' ? Number(fields.code) : null }
}

/** A request; the device wants the elements in their order. */
export const writeRequest = (fields: Readonly<Record<string, string>>): string => {
  const elements = Object.entries(fields).map(([name, value]) => `<${name}>${encoded(value)}</${name}>`)
  return `<?xml version="1.0" encoding="UTF-8"?>\n<request>${elements.join('')}</request>`
}

const entities: readonly (readonly [string, string])[] = [
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
]

const encoded = (text: string): string =>
  entities.reduce((left, [sign, entity]) => left.replaceAll(sign, entity), text.replaceAll('&', '&amp;'))

const decoded = (text: string): string =>
  entities.reduce((left, [sign, entity]) => left.replaceAll(entity, sign), text).replaceAll('&amp;', '&')
