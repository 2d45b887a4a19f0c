import { readFile } from 'node:fs/promises'
import { proxyUrl } from '../../contract/index.ts'
import { UsageError } from '../usage.ts'

/** A proxy to look at. */
export interface ListedProxy {
  /** With its credentials. */
  readonly url: string
  /** For people: the same without what is secret. */
  readonly shown: string
}

/** Larger lists are no lists of proxies. */
const LONGEST_LIST = 10_000

/**
 * The proxies on the command line and in a file (`-`: standard input) of one URL a line; empty lines and those that begin with # do not
 * count. Throws `UsageError` that names the line; a URL that holds credentials is never repeated in it.
 */
export async function readProxyList(
  urls: readonly string[],
  file: string | undefined,
  stdin: AsyncIterable<unknown>,
): Promise<ListedProxy[]> {
  const named = urls.map((text, index) => ({ text, where: `proxy ${index + 1}` }))
  const lines = file === undefined ? [] : (await readList(file, stdin)).split(/\r?\n/)
  const listed = lines
    .map((line, index) => ({ text: line.trim(), where: `${file === '-' ? 'standard input' : file}, line ${index + 1}` }))
    .filter(({ text }) => text !== '' && !text.startsWith('#'))
  const all = [...named, ...listed]
  if (all.length === 0) throw new UsageError('no proxy is given: name at least one, like http://user:password@10.0.0.5:8080, or use --from')
  if (all.length > LONGEST_LIST) throw new UsageError(`${all.length} proxies are given; at most ${LONGEST_LIST} at a time`)
  return all.map(({ text, where }) => {
    const parsed = proxyUrl.safeParse(text)
    if (!parsed.success) throw new UsageError(`${where}: ${parsed.error.issues[0]?.message ?? 'is no proxy URL'}`)
    return { url: parsed.data, shown: showProxyUrl(parsed.data) }
  })
}

/** A proxy URL without its secrets. A user name alone may be a token, so it is only shown beside a password. */
function showProxyUrl(text: string): string {
  const { protocol, username, password, host } = new URL(text)
  const user = username === '' && password === '' ? '' : `${password === '' ? '***' : `${username}:***`}@`
  return `${protocol}//${user}${host}`
}

async function readList(file: string, stdin: AsyncIterable<unknown>): Promise<string> {
  if (file !== '-') {
    return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new UsageError(`--from ${file} cannot be read (${error.code ?? error.message})`)
    })
  }
  let text = ''
  for await (const chunk of stdin) text += String(chunk)
  return text
}
