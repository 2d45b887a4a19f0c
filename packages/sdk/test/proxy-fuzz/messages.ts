import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { between, pick } from '../seeded.ts'

type Random = () => number

/** A mark that says which message something came from, and that a mutation cannot turn into that of another. */
export const markOf = (id: number): string => `m${id}x${checksum(id)}e`
const checksum = (id: number): string => ((Math.imul(id ^ 0x5bd1e995, 0x9e3779b1) >>> 0) % 1_679_616).toString(36)

/** The messages whose marks are in a text, in their order. */
export function marksIn(text: string): number[] {
  return [...text.matchAll(/m(\d+)x([0-9a-z]+)e/g)].filter(([, id, sum]) => checksum(Number(id)) === sum).map(([, id]) => Number(id))
}

const corpusFolder = join(import.meta.dirname, 'corpus')
/** Messages that were worth keeping; `MARK` in them is replaced. */
const corpus = readdirSync(corpusFolder)
  .sort()
  .map((name) => readFileSync(join(corpusFolder, name), 'latin1').replace(/\r?\n/g, '\r\n').replaceAll('\\0', '\0'))

const oneOf = <T>(random: Random, things: readonly T[]): T => things[Math.floor(random() * things.length)] as T

const oddFields = [
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding : chunked',
  'transfer-encoding:\tchunked',
  'Content-Length: 5',
  'Content-Length: 0',
  'Content-Length: 3, 3',
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'Host: evil.test',
  'Host:',
  'Connection: close',
  'Connection: keep-alive, Host, X-A',
  'Connection: Upgrade\r\nUpgrade: websocket',
  'Proxy-Authorization: Basic eDp5',
  'Proxy-Connection: keep-alive',
  'Expect: 100-continue',
  'Expect: nothing',
  'TE: trailers',
  'Trailer: Content-Length',
  'X-MobilePool-Ip: 1.2.3.4',
  'X-A: a\r\n folded',
  'X-A: a\0b',
  'X-A: a\rb',
  'X-A: a\nX-B: c',
  ': none',
  'no colon',
  'X-\xe9: \xff',
]
const oddTargets = [
  '/',
  '*',
  'http://',
  'http:///',
  'https://t.test/',
  'http://u:p@t.test/',
  'http://t.test:0/',
  'http://[::1/',
  'http://t.test:99999/',
]
const oddVersions = ['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.2', 'http/1.1', 'HTTP/1.1 ', '']
const oddSizes = ['0x3', '-3', '+3', '3 ', ' 3', '3;a=b', '3;a="\n"', '', 'ffffffffffffffff1', '03', 'G', '3\n']

/**
 * One request with its mark in target, body and a field. `calm`: whatever is odd about it is allowed or refused without the end of its
 * connection; the others come from the corpus, or have odd framing, broken bytes or both.
 */
export function buildRequest(random: Random, id: number, isCalm: boolean): string {
  const mark = markOf(id)
  const odd = (chance: number): boolean => !isCalm && random() < chance
  if (odd(0.3)) return corrupt(random, oneOf(random, corpus).replaceAll('MARK', mark), random() < 0.7 ? between(random, 1, 3) : 0)
  if (odd(0.1)) return `CONNECT ${mark}.test:443 HTTP/1.1\r\nHost: t.test\r\n\r\nearly ${mark}`
  const method = oneOf(random, ['GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND'])
  const target = random() < 0.03 ? oneOf(random, oddTargets) : `http://t.test/${mark}`
  const version = odd(0.1) ? oneOf(random, oddVersions) : 'HTTP/1.1'
  const fields = [`Host: t.test`, `X-Mark: ${mark}`]
  for (let more = between(random, 0, 3); more > 0; more--) fields.push(`X-${more}: ${'v'.repeat(between(random, 0, 40))}`)
  let body = ''
  if (method === 'POST' || method === 'PUT' || random() < 0.1) {
    // What would be a request, if the framing were lost.
    const content = `${mark} GET http://t.test/${mark} HTTP/1.1\r\nHost: t.test\r\n\r\n`
    if (random() < 0.5) {
      fields.push('Transfer-Encoding: chunked')
      const cut = between(random, 1, content.length - 1)
      for (const piece of [content.slice(0, cut), content.slice(cut)]) {
        const size = odd(0.15) ? oneOf(random, oddSizes) : piece.length.toString(16)
        body += `${size}${random() < 0.1 ? ';x=y' : ''}\r\n${piece}${odd(0.05) ? '\n' : '\r\n'}`
      }
      body += `0\r\n${random() < 0.1 ? 'X-Trailer: 1\r\n' : ''}\r\n`
    } else {
      fields.push(`Content-Length: ${content.length}`)
      body = content
    }
  }
  if (odd(0.4)) fields.splice(between(random, 0, fields.length), 0, oneOf(random, oddFields))
  if (odd(0.2)) fields.push(oneOf(random, oddFields))
  const end = odd(0.05) ? '\n' : '\r\n'
  const message = `${method} ${target} ${version}\r\n${fields.join(end)}\r\n\r\n${body}`
  return corrupt(random, message, odd(0.4) ? between(random, 1, 3) : 0)
}

/** A SOCKS5 or SOCKS4 client's side, broken in one case of two. */
export function buildSocks(random: Random, id: number): string {
  const name = `${markOf(id)}.test`
  const byte = (...values: number[]): string => String.fromCharCode(...values)
  const address = pick(random, [
    [6, `${byte(3, name.length)}${name}`],
    [1, byte(1, 127, 0, 0, 1)],
    [1, byte(4, ...Array<number>(15).fill(0), 1)],
    [1, byte(between(random, 0, 255), 9, 9)],
    [1, `${byte(3, 255)}${name}`],
  ])
  const login = random() < 0.3 ? `${byte(1, 4)}user${byte(4)}pass` : ''
  const greeting = login ? byte(5, 2, 0, 2) : byte(5, 1, 0)
  const message = `${greeting}${login}${byte(5, oneOf(random, [1, 1, 1, 1, 2, 3, 9]), 0)}${address}${byte(1, 187)}early ${markOf(id)}`
  return corrupt(random, message, random() < 0.5 ? between(random, 1, 3) : 0)
}

/** A target's answer, broken in one case of five. */
export function buildAnswer(random: Random, mark: string): string {
  const fields = [`X-Echo: ${mark}`]
  const content = `echo of ${mark}`
  const isCoded = random() < 0.5
  fields.push(isCoded ? 'Transfer-Encoding: chunked' : `Content-Length: ${content.length}`)
  if (random() < 0.1) fields.push(oneOf(random, oddFields))
  const size = random() < 0.03 ? oneOf(random, oddSizes) : content.length.toString(16)
  const body = isCoded ? `${size}\r\n${content}\r\n0\r\n\r\n` : content
  return corrupt(random, `HTTP/1.1 200 OK\r\n${fields.join('\r\n')}\r\n\r\n${body}`, random() < 0.1 ? 1 : 0)
}

/** Changes, doubles, takes out or puts in some bytes. */
function corrupt(random: Random, message: string, times: number): string {
  let text = message
  for (let left = times; left > 0; left--) {
    const at = between(random, 0, text.length - 1)
    const until = Math.min(text.length, at + between(random, 1, 12))
    text = pick(random, [
      [3, `${text.slice(0, at)}${String.fromCharCode(between(random, 0, 255))}${text.slice(at + 1)}`],
      [2, text.slice(0, at) + text.slice(until)],
      [2, text.slice(0, until) + text.slice(at)],
      [
        2,
        text.slice(0, at) + oneOf(random, ['\r\n', '\n', '\r', '\0', ' ', '\t', ':', ',', ';', '0\r\n\r\n', '\r\n\r\n']) + text.slice(at),
      ],
      [1, text.slice(0, at)],
    ])
  }
  return text
}
