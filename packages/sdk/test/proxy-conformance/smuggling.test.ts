import { describe, expect, test } from 'vitest'
import { onStage } from './stage.ts'

const stage = onStage()
const POST = 'POST http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n'
const GET = 'GET http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n'
const CONNECT = 'CONNECT 127.0.0.1:PORT HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n'
const SMUGGLED = `${GET.replace('PORT/', 'PORT/smuggled')}\r\n`
const CHUNKED = 'Transfer-Encoding: chunked\r\n'
const END = `0\r\n\r\n${SMUGGLED}`

describe('a head that two readers could understand differently', () => {
  test.each<[string, string, number | string]>([
    ['length and chunks', `${POST}Content-Length: 5\r\n${CHUNKED}\r\n${END}`, 400],
    ['chunks and length', `${POST}${CHUNKED}Content-Length: 5\r\n\r\n${END}`, 400],
    ['a length of 0 and chunks', `${POST}Content-Length: 0\r\n${CHUNKED}\r\n${END}`, 400],
    ['two lengths', `${POST}Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde`, 400],
    ['twice the same length', `${POST}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`, 400],
    ['two lengths in a list', `${POST}Content-Length: 3, 5\r\n\r\nabcde`, 400],
    ['twice the same length in a list', `${POST}Content-Length: 3, 3\r\n\r\nabc`, 400],
    ['a negative length', `${POST}Content-Length: -1\r\n\r\nabc`, 400],
    ['a length with a sign', `${POST}Content-Length: +3\r\n\r\nabc`, 400],
    ['a length in hex', `${POST}Content-Length: 0x3\r\n\r\nabc`, 400],
    ['a length with a fraction', `${POST}Content-Length: 3.0\r\n\r\nabc`, 400],
    ['a length with an underscore', `${POST}Content-Length: 1_0\r\n\r\n0123456789`, 400],
    ['a length with a space in it', `${POST}Content-Length: 1 0\r\n\r\n0123456789`, 400],
    ['a length that overflows', `${POST}Content-Length: 18446744073709551617\r\n\r\na`, 400],
    ['a length beyond what numbers hold exactly', `${POST}Content-Length: 9007199254740993\r\n\r\na`, 400],
    ['an empty length', `${POST}Content-Length:\r\n\r\nabc`, 400],
    ['a length that is a word', `${POST}Content-Length: three\r\n\r\nabc`, 400],
    ['a space before the colon', `${POST}Content-Length : 3\r\n\r\nabc`, 400],
    ['a space before the colon of the coding', `${POST}Transfer-Encoding : chunked\r\n\r\n${END}`, '(?:400|501)'],
    ['a tab before the colon', `${POST}Content-Length\t: 3\r\n\r\nabc`, 400],
    ['a folded field', `${GET}X-A: 1\r\n 2\r\n\r\n`, 400],
    ['a folded field by a tab', `${GET}X-A: 1\r\n\t2\r\n\r\n`, 400],
    ['a folded coding', `${POST}Transfer-Encoding:\r\n chunked\r\n\r\n${END}`, '(?:400|501)'],
    ['a folded length', `${POST}Content-Length:\r\n 3\r\n\r\nabc`, 400],
    ['a first field that is indented', `GET http://127.0.0.1:PORT/ HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n`, 400],
    ['line ends without CR', `${GET.replaceAll('\r\n', '\n')}\n`, 400],
    ['one line end without CR', `${GET}X-A: 1\nX-B: 2\r\n\r\n`, 400],
    ['an end of the head without CR', `${GET}X-A: 1\r\n\n`, 400],
    ['a request line without CR', `GET http://127.0.0.1:PORT/ HTTP/1.1\nHost: a\r\n\r\n`, 400],
    ['a lone CR in a value', `${GET}X-A: 1\rX-B: 2\r\n\r\n`, 400],
    ['a CR for a line end', `${GET}X-A: 1\r\r\n\r\n`, 400],
    ['a NUL in a value', `${GET}X-A: a\0b\r\n\r\n`, 400],
    ['a NUL in a name', `${GET}X\0A: b\r\n\r\n`, 400],
    ['a NUL in the target', `GET http://127.0.0.1:PORT/a\0b HTTP/1.1\r\nHost: x\r\n\r\n`, 400],
    ['a control character in a value', `${GET}X-A: a\x01b\r\n\r\n`, 400],
    ['a DEL in a value', `${GET}X-A: a\x7fb\r\n\r\n`, 400],
    ['a name with a space', `${GET}X A: b\r\n\r\n`, 400],
    ['a name with a bracket', `${GET}X(A): b\r\n\r\n`, 400],
    ['a name beyond ASCII', `${GET}X\xe9: b\r\n\r\n`, 400],
    ['an empty name', `${GET}: b\r\n\r\n`, 400],
    ['a field without a colon', `${GET}X-A\r\n\r\n`, 400],
    ['no Host', 'GET http://127.0.0.1:PORT/ HTTP/1.1\r\n\r\n', 400],
    ['two Hosts', `${GET}Host: other.example\r\n\r\n`, 400],
    ['twice the same Host', `${GET}Host: 127.0.0.1:PORT\r\n\r\n`, 400],
    ['a coding before chunked', `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n${END}`, '(?:400|501)'],
    ['a coding after chunked', `${POST}Transfer-Encoding: chunked, gzip\r\n\r\n${END}`, '(?:400|501)'],
    ['another coding', `${POST}Transfer-Encoding: gzip\r\n\r\n${END}`, '(?:400|501)'],
    ['the coding identity', `${POST}Transfer-Encoding: identity\r\n\r\n${END}`, '(?:400|501)'],
    ['chunked twice', `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n${END}`, '(?:400|501)'],
    ['chunked in two fields', `${POST}${CHUNKED}${CHUNKED}\r\n${END}`, '(?:400|501)'],
    ['chunked and another in two fields', `${POST}${CHUNKED}Transfer-Encoding: identity\r\n\r\n${END}`, '(?:400|501)'],
    ['a coding that only looks like chunked', `${POST}Transfer-Encoding: xchunked\r\n\r\n${END}`, '(?:400|501)'],
    ['chunked with a parameter', `${POST}Transfer-Encoding: chunked;q=1\r\n\r\n${END}`, '(?:400|501)'],
    ['chunked in quotes', `${POST}Transfer-Encoding: "chunked"\r\n\r\n${END}`, '(?:400|501)'],
    ['chunked behind a vertical tab', `${POST}Transfer-Encoding: \x0bchunked\r\n\r\n${END}`, '(?:400|501)'],
    ['chunked in front of a comma', `${POST}Transfer-Encoding: chunked,\r\n\r\n${END}`, '(?:400|501)'],
    ['an empty coding', `${POST}Transfer-Encoding:\r\n\r\n${END}`, '(?:400|501)'],
    ['chunks in HTTP/1.0', `${POST.replace('1.1', '1.0')}${CHUNKED}\r\n${END}`, 400],
    ['a coding in a GET of HTTP/1.0', `${GET.replace('1.1', '1.0')}${CHUNKED}\r\n${END}`, 400],
    ['HTTP/0.9', 'GET http://127.0.0.1:PORT/\r\n\r\n', 505],
    ['HTTP/2.0', `${GET.replace('1.1', '2.0')}\r\n`, 505],
    ['HTTP/1.2', `${GET.replace('1.1', '1.2')}\r\n`, 400],
    ['HTTP/3.0', `${GET.replace('1.1', '3.0')}\r\n`, 400],
    ['HTTP/1.10', `${GET.replace('1.1', '1.10')}\r\n`, 400],
    ['http/1.1 in small letters', `${GET.replace('HTTP/', 'http/')}\r\n`, 400],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['a tab behind the method', `${GET.replace('GET ', 'GET\t')}\r\n`, 400],
    ['a space behind the version', `${GET.replace('1.1\r', '1.1 \r')}\r\n`, 400],
    ['a space before the method', ` ${GET}\r\n`, 400],
    ['a method in small letters', `${GET.replace('GET', 'get')}\r\n`, 400],
    ['an unknown method', `${GET.replace('GET', 'GRAB')}\r\n`, 400],
    ['an expectation that is unknown', `${POST}Content-Length: 3\r\nExpect: the-unexpected\r\n\r\nabc`, 417],
  ])('%s is refused, and nothing is sent on', async (_, send, status) => {
    const { got, upstream } = await stage.play({ send })
    expect(upstream).toEqual([])
    expect(got).toMatch(
      new RegExp(`^HTTP/1\\.1 ${status} [^\r]+\r\nX-MobilePool-Error: [a-z_]+\r\nContent-Type: application/problem\\+json\r\n`),
    )
    expect(got).not.toContain('200 OK')
  })
})

describe('a target that is none', () => {
  test.each<[string, string]>([
    ['a request for the proxy itself', 'GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n'],
    ['an asterisk', 'OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n'],
    ['a URL with a user', `${GET.replace('http://', 'http://user@')}\r\n`],
    ['a URL with user and password', `${GET.replace('http://', 'http://user:pass@')}\r\n`],
    ['a URL with an empty user', `${GET.replace('http://', 'http://@')}\r\n`],
    ['an https URL', `${GET.replace('http:', 'https:')}\r\n`],
    ['an ftp URL', `${GET.replace('http:', 'ftp:')}\r\n`],
    ['a file URL', 'GET file:///etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a URL without a host', 'GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a URL with port 0', `${GET.replace(':PORT/', ':0/')}\r\n`],
    ['a URL with port 65536', `${GET.replace(':PORT/', ':65536/')}\r\n`],
    ['a URL with a port that is a word', `${GET.replace(':PORT/', ':http/')}\r\n`],
    ['a URL with an empty port', `${GET.replace(':PORT/', ':/')}\r\n`],
    ['a URL with a backslash', `${GET.replace(':PORT/', ':PORT\\@evil/')}\r\n`],
    ['a URL with a broken IPv6 address', `${GET.replace('127.0.0.1', '[::1')}\r\n`],
    ['a URL with a zone', `${GET.replace('127.0.0.1', '[fe80::1%25eth0]')}\r\n`],
    ['a URL with one slash', `${GET.replace('http://', 'http:/')}\r\n`],
    ['a host with a percent sign', `${GET.replace('127.0.0.1', '127.0.0.1%2f')}\r\n`],
    ['CONNECT with a path', `${CONNECT.replace('PORT ', 'PORT/path ')}\r\n`],
    ['CONNECT with a URL', `${CONNECT.replace('CONNECT ', 'CONNECT http://')}\r\n`],
    ['CONNECT with a user', `${CONNECT.replace('CONNECT ', 'CONNECT user@')}\r\n`],
    ['CONNECT without a port', `${CONNECT.replace(':PORT HTTP', ' HTTP')}\r\n`],
    ['CONNECT with two ports', `${CONNECT.replace(':PORT HTTP', ':80:PORT HTTP')}\r\n`],
    ['CONNECT to port 0', `${CONNECT.replace(':PORT HTTP', ':0 HTTP')}\r\n`],
    ['CONNECT with a bare IPv6 address', `${CONNECT.replace('127.0.0.1:PORT HTTP', '::1:PORT HTTP')}\r\n`],
    ['CONNECT with a query', `${CONNECT.replace(':PORT HTTP', ':PORT?a HTTP')}\r\n`],
    ['CONNECT with a length', `${CONNECT}Content-Length: 5\r\n\r\nhello`],
    ['CONNECT with chunks', `${CONNECT}${CHUNKED}\r\n${END}`],
    ['CONNECT with length and chunks', `${CONNECT}Content-Length: 5\r\n${CHUNKED}\r\n${END}`],
    ['CONNECT with two Hosts', `${CONNECT}Host: b\r\n\r\n`],
  ])('%s is a 400, and nothing is connected', async (_, send) => {
    const { got, upstream } = await stage.play({ send })
    expect(upstream).toEqual([])
    expect(got).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nX-MobilePool-Error: bad_request\r\n/)
  })
})

describe('a body that breaks its framing', () => {
  test.each<[string, string]>([
    ['a size that is no number', 'xyz\r\nabc\r\n'],
    ['a negative size', '-3\r\nabc\r\n'],
    ['a size with 0x', '0x3\r\nabc\r\n'],
    ['a size with a sign', '+3\r\nabc\r\n'],
    ['an empty size', '\r\nabc\r\n'],
    ['a size that overflows', '10000000000000003\r\nabc\r\n'],
    ['a size with a space before it', ' 3\r\nabc\r\n'],
    ['a size with a space behind it', '3 \r\nabc\r\n'],
    ['a size line without CR', '3\nabc\r\n'],
    ['a chunk that is longer than its size', '3\r\nabcdef\r\n'],
    ['a chunk without its line end', '3\r\nabc3\r\n'],
    ['a chunk whose line end has no CR', '3\r\nabc\n'],
    ['an extension with a line break', '3;a=\nb\r\nabc\r\n'],
    ['an extension with a NUL', '3;a=\0\r\nabc\r\n'],
    ['an extension without a name', '3;\x01\r\nabc\r\n'],
    ['an extension of 20 KB', `3;a=${'x'.repeat(20_000)}\r\nabc\r\n`],
    ['a trailer with a space before its colon', '0\r\nX : 1\r\n'],
    ['a trailer without CR', '0\r\nX: 1\n'],
    ['a coding among its trailers', '0\r\nTransfer-Encoding: gzip\r\n\r\n'],
    ['a length among its trailers', '0\r\nContent-Length: 9\r\n\r\n'],
    ['a last chunk without CR', '0\n\n'],
  ])('with %s is cut, and what follows is not sent on', async (_, chunks) => {
    const { upstream } = await stage.play({ send: `${POST}${CHUNKED}\r\n${chunks}${END}`, answer: '' })
    const sent = upstream.join('')
    expect(sent).not.toContain('smuggled')
    expect(sent).not.toMatch(/(^|\r\n)0\r\n\r\n$/)
  })

  test('bytes beyond the length are a request of their own, and nothing but that', async () => {
    const { got, upstream } = await stage.play({ send: `${POST}Content-Length: 3\r\n\r\nabc${SMUGGLED}`, until: /ok[\s\S]+ok$/ })
    expect(upstream.map((text) => text.split(' ', 2).join(' '))).toEqual(['POST /', 'GET /smuggled'])
    expect(got.match(/200 OK/g)).toHaveLength(2)
  })

  test('bytes beyond the length that are no request are refused', async () => {
    const { upstream } = await stage.play({ send: `${POST}Content-Length: 3\r\n\r\nabcdef\r\n\r\n`, until: /$never/ })
    expect(upstream.join('')).not.toContain('def')
  })
})
