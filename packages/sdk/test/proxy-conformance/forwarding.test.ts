import { describe, expect, test } from 'vitest'
import { OK, onStage } from './stage.ts'

const stage = onStage()
const HOST = 'Host: 127.0.0.1:PORT\r\n'
const GET = `GET http://127.0.0.1:PORT/ HTTP/1.1\r\n${HOST}`
const POST = `POST http://127.0.0.1:PORT/ HTTP/1.1\r\n${HOST}`
const WHOLE = /ok$/
const local = (text: string): string => text.replaceAll('PORT', String(stage.targetPort))

/** What the target is sent, for what a client says. */
const rewritten = (line: string, fields: string, body = ''): string => `${line} HTTP/1.1\r\n${fields}Connection: close\r\n\r\n${body}`

describe('a request', () => {
  test.each<[string, string, string]>([
    ['with a path and a query', GET.replace('PORT/', 'PORT/a/../b%2F?c=d&e'), rewritten('GET /a/../b%2F?c=d&e', HOST)],
    ['without a path', GET.replace('PORT/ ', 'PORT '), rewritten('GET /', HOST)],
    ['with a query and no path', GET.replace('PORT/ ', 'PORT?a=b '), rewritten('GET /?a=b', HOST)],
    ['with a fragment', GET.replace('PORT/ ', 'PORT/a#b '), rewritten('GET /a', HOST)],
    ['for OPTIONS *', GET.replace('GET', 'OPTIONS').replace('PORT/ ', 'PORT '), rewritten('OPTIONS *', HOST)],
    ['with a scheme in capitals', GET.replace('http', 'HTTP'), rewritten('GET /', HOST)],
    ['with an address in another form', GET.replace('127.0.0.1', '0x7f.1'), rewritten('GET /', 'Host: 0x7f.1:PORT\r\n')],
    ['with two spaces behind the method', GET.replace('GET ', 'GET  '), rewritten('GET /', HOST)],
    ['behind an empty line', `\r\n${GET}`, rewritten('GET /', HOST)],
    ['with another Host', GET.replace(HOST, 'Host: other.example\r\n'), rewritten('GET /', HOST)],
    ['with an empty Host', GET.replace(HOST, 'Host:\r\n'), rewritten('GET /', HOST)],
    ['with a Host of spaces and commas', GET.replace(HOST, 'Host: a, b\r\n'), rewritten('GET /', HOST)],
    ['of HTTP/1.0', GET.replace('1.1', '1.0'), rewritten('GET /', HOST)],
    ['of HTTP/1.0 without Host', GET.replace('1.1', '1.0').replace(HOST, ''), rewritten('GET /', HOST)],
    [
      'with its own credentials',
      `${GET}Authorization: Basic eA==\r\nCookie: a=b\r\n`,
      rewritten('GET /', `${HOST}Authorization: Basic eA==\r\nCookie: a=b\r\n`),
    ],
    [
      'with names in odd letters',
      `${GET}X-oDD: 1\r\nx-odd: 2\r\nX-ODD:3\r\n`,
      rewritten('GET /', `${HOST}X-oDD: 1\r\nx-odd: 2\r\nX-ODD: 3\r\n`),
    ],
    ['with bytes beyond ASCII', `${GET}X-A: \xe9\xff\r\n`, rewritten('GET /', `${HOST}X-A: \xe9\xff\r\n`)],
    ['with an empty value', `${GET}X-A:\r\nX-B: \r\n`, rewritten('GET /', `${HOST}X-A: \r\nX-B: \r\n`)],
    ['with spaces around a value', `${GET}X-A:  \t a b \t\r\n`, rewritten('GET /', `${HOST}X-A: a b\r\n`)],
    [
      'for the proxy',
      `${GET}Proxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\nProxy-Anything: 1\r\n`,
      rewritten('GET /', HOST),
    ],
    [
      'with fields of a connection',
      `${GET}Connection: close\r\nKeep-Alive: 5\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\n`,
      rewritten('GET /', HOST),
    ],
    [
      'that names fields in Connection',
      `${GET}Connection: X-A, x-b,,\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\n`,
      rewritten('GET /', `${HOST}X-C: 3\r\n`),
    ],
    ['that names fields in two Connections', `${GET}Connection: X-A\r\nconnection: x-c\r\nX-A: 1\r\nX-C: 3\r\n`, rewritten('GET /', HOST)],
    [
      'that names Host in Connection',
      `${GET}Connection: Host, Authorization\r\nAuthorization: a\r\n`,
      rewritten('GET /', `${HOST}Authorization: a\r\n`),
    ],
    ['with choices for the pool', `${GET}X-MobilePool-Session: 1\r\nx-mobilepool-anything: 2\r\n`, rewritten('GET /', HOST)],
    [
      'that was forwarded before',
      `${GET}Via: 1.1 a\r\nX-Forwarded-For: 1.2.3.4\r\n`,
      rewritten('GET /', `${HOST}Via: 1.1 a\r\nX-Forwarded-For: 1.2.3.4\r\n`),
    ],
    ['of a rare method', GET.replace('GET', 'PROPFIND'), rewritten('PROPFIND /', `${HOST}Content-Length: 0\r\n`)],
    ['with a length of 0', `${POST}Content-Length: 0\r\n`, rewritten('POST /', `${HOST}Content-Length: 0\r\n`)],
    ['without a body where one is meant', POST, rewritten('POST /', `${HOST}Content-Length: 0\r\n`)],
  ])('%s reaches the target as it should', async (_, head, expected) => {
    const { upstream, got } = await stage.play({ send: `${head}\r\n`, until: WHOLE })
    expect(upstream).toEqual([local(expected)])
    expect(got).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(got).not.toMatch(/^(via|x-forwarded-for|date|server):/im)
  })

  const CODED = `${POST}Transfer-Encoding: chunked\r\n`
  const coded = (body: string, more = ''): string =>
    rewritten('POST /', `${HOST}${more}Transfer-Encoding: chunked\r\n`, body).replace(/(Transfer.*)\r\n(Connection.*)\r\n/, '$1\r\n$2\r\n')
  test.each<[string, string, string]>([
    ['of a length', `${POST}Content-Length: 5\r\n\r\nabcde`, rewritten('POST /', `${HOST}Content-Length: 5\r\n`, 'abcde')],
    [
      'of a length with zeros before',
      `${POST}Content-Length: 005\r\n\r\nabcde`,
      rewritten('POST /', `${HOST}Content-Length: 005\r\n`, 'abcde'),
    ],
    ['of a GET', `${GET}Content-Length: 2\r\n\r\nab`, rewritten('GET /', `${HOST}Content-Length: 2\r\n`, 'ab')],
    ['in chunks', `${CODED}\r\n3\r\nabc\r\n0\r\n\r\n`, coded('3\r\nabc\r\n0\r\n\r\n')],
    ['in chunks of which none has a byte', `${CODED}\r\n0\r\n\r\n`, coded('0\r\n\r\n')],
    [
      'in chunks, the size in capitals and with zeros',
      `${CODED}\r\n000A\r\n0123456789\r\n0\r\n\r\n`,
      coded('a\r\n0123456789\r\n0\r\n\r\n'),
    ],
    ['in chunks, coded in capitals', `${POST}Transfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n`, coded('3\r\nabc\r\n0\r\n\r\n')],
    ['in chunks with extensions, which are dropped', `${CODED}\r\n3;a=b;c="d"\r\nabc\r\n0;last\r\n\r\n`, coded('3\r\nabc\r\n0\r\n\r\n')],
    ['in chunks with a trailer', `${CODED}\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n`, coded('3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n')],
    [
      'in chunks with trailers that would change the message, which are dropped',
      `${CODED}\r\n3\r\nabc\r\n0\r\nHost: b\r\nTE: gzip\r\nConnection: a\r\nAuthorization: c\r\nProxy-A: d\r\nX-MobilePool-E: f\r\nX-Sum: 9\r\n\r\n`,
      coded('3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n'),
    ],
    [
      'that looks like a request',
      `${POST}Content-Length: 27\r\n\r\nGET http://a/ HTTP/1.1\r\n\r\n\r`,
      rewritten('POST /', `${HOST}Content-Length: 27\r\n`, 'GET http://a/ HTTP/1.1\r\n\r\n\r'),
    ],
  ])('with a body %s reaches the target whole', async (_, send, expected) => {
    const { upstream } = await stage.play({ send, until: WHOLE })
    expect(upstream).toEqual([local(expected)])
  })

  test('in single bytes is the same', async () => {
    const { upstream } = await stage.play({
      send: [...local(`${CODED}\r\n3\r\nabc\r\n0\r\n\r\n`)],
      until: WHOLE,
      answersAt: '\r\n0\r\n\r\n',
    })
    expect(upstream[0]?.replace(/1\r\n([abc])\r\n/g, '$1')).toBe(local(coded('abc0\r\n\r\n')))
  })

  test.each([
    ['two', 2],
    ['sixty', 60],
  ])('%s on one connection in one piece are answered in their order', async (_, count) => {
    const paths = Array.from({ length: count }, (_, at) => `/${at}`)
    const ask = (path: string): string =>
      `${GET.replace('PORT/ ', `PORT${path} `)}${path === paths.at(-1) ? 'Connection: close\r\n' : ''}\r\n`
    const { got, upstream } = await stage.play({ send: paths.map(ask).join(''), until: /$never/ })
    expect(upstream.map((text) => text.split(' ')[1])).toEqual(paths)
    expect(got.split('200 OK')).toHaveLength(count + 1)
  })

  test('beyond sixty-four unanswered ones the connection is cut', async () => {
    const { got, ending } = await stage.play({ send: `${GET}\r\n`.repeat(1_000), until: /$never/ })
    expect([ending, got]).toEqual(['reset', ''])
  })
})

describe('an answer', () => {
  const plain = 'HTTP/1.1 200 OK\r\n'
  test.each<[string, string, RegExp]>([
    [
      'as it is',
      `${plain}X-oDD: 1\r\nContent-Length: 2\r\n\r\nok`,
      /^HTTP\/1\.1 200 OK\r\nX-oDD: 1\r\nContent-Length: 2\r\n(Connection: keep-alive\r\nKeep-Alive: .*\r\n)?\r\nok$/,
    ],
    [
      'without the fields of its connection',
      `${plain}Connection: close, X-A\r\nX-A: 1\r\nKeep-Alive: 3\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nok`,
      /^(?!.*(X-A|Keep-Alive: 3|Proxy-))/s,
    ],
    [
      'without what only the proxy may say',
      `${plain}X-MobilePool-Error: forged\r\nX-MobilePool-Ip: 1\r\nContent-Length: 2\r\n\r\nok`,
      /^(?!.*MobilePool)/s,
    ],
    ['of a status that has no name', 'HTTP/1.1 299 \r\nContent-Length: 2\r\n\r\nok', /^HTTP\/1\.1 299 \r\n/],
    ['of HTTP/1.0 that ends with its connection', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', /^HTTP\/1\.1 200 OK\r\n/],
    [
      'in chunks with extensions',
      `${plain}Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n`,
      /Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n$/,
    ],
    [
      'in chunks with a trailer',
      `${plain}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nSet-Cookie: 9\r\n\r\n`,
      /2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n$/,
    ],
    ['behind a 100 that nobody asked for', `HTTP/1.1 100 Continue\r\n\r\n${OK}`, /200 OK[\s\S]*ok$/],
    ['behind a 102', `HTTP/1.1 102 Processing\r\n\r\n${OK}`, /^HTTP\/1\.1 200 OK[\s\S]*ok$/],
    ['and not what follows it', `${OK}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nspoof`, /^(?!.*spoof).*ok$/s],
  ])('is passed on %s', async (_, answer, expected) => {
    const { got } = await stage.play({ send: `${GET}\r\n`, answer, until: /ok(\r\n0\r\n[\s\S]*\r\n)?$/ })
    expect(got).toMatch(expected)
  })

  test.each<[string, string]>([
    ['is no HTTP', '220 smtp.example ESMTP\r\n\r\n'],
    ['is HTTP/0.9', 'hello, world\r\n\r\n'],
    ['has length and chunks', `${plain}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['has two lengths', `${plain}Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc`],
    ['has a negative length', `${plain}Content-Length: -2\r\n\r\nabc`],
    ['has a length that overflows', `${plain}Content-Length: 99999999999999999999\r\n\r\nabc`],
    ['has an unknown coding', `${plain}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['has a NUL in its head', `${plain}X: a\0b\r\nContent-Length: 2\r\n\r\nok`],
    ['has a line end without CR', `${plain}X: a\nContent-Length: 2\r\n\r\nok`],
    ['has a lone CR', `${plain}X: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok`],
    ['has a space before a colon', `${plain}Content-Length : 2\r\n\r\nok`],
    ['has a folded field', `${plain}X: a\r\n b\r\nContent-Length: 2\r\n\r\nok`],
    ['has too many fields', `${plain}${'X: a\r\n'.repeat(300)}Content-Length: 2\r\n\r\nok`],
    ['hides its length behind too many fields', `${plain}${'X:\r\n'.repeat(2_100)}Content-Length: 2\r\n\r\nok`],
    ['has a status of two digits', 'HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok'],
    ['has a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok'],
    ['switches protocols unasked', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'],
    ['has a head of 100 KB', `${plain}X: ${'y'.repeat(100_000)}\r\nContent-Length: 2\r\n\r\nok`],
  ])('that %s is a 59x, and nothing of it is passed on', async (_, answer) => {
    const { got } = await stage.play({ send: `${GET}\r\n`, answer })
    expect(got).toMatch(/^HTTP\/1\.1 59\d [^\r]+\r\nX-MobilePool-Error: (bad_response|connection_reset|upstream_failed)\r\n/)
    expect(got).not.toContain('ok')
  })

  test.each<[string, string]>([
    ['a size that is no number', '2\r\nok\r\nxyz\r\n'],
    ['a size with 0x', '2\r\nok\r\n0x3\r\nabc\r\n0\r\n\r\n'],
    ['a chunk longer than its size', '2\r\nokay\r\n0\r\n\r\n'],
    ['a line end without CR', '2\r\nok\n0\r\n\r\n'],
  ])('that breaks its chunks with %s is cut, never ended', async (_, chunks) => {
    const { got, ending } = await stage.play({
      send: `${GET}\r\n`,
      answer: `${plain}Transfer-Encoding: chunked\r\n\r\n${chunks}`,
      until: /$never/,
    })
    expect(got).not.toMatch(/0\r\n\r\n$/)
    expect(got === '' || ending === 'reset' || got.startsWith('HTTP/1.1 59')).toBe(true)
  })
})
