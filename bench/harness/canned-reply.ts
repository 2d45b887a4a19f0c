const BODY = 'x'.repeat(1_024)

/** What the devices of the benchmarks answer: 1 KB, with as many headers as an ordinary page has. */
export const cannedReply = (connection: 'keep-alive' | 'close'): string =>
  [
    'HTTP/1.1 200 OK',
    'Date: Sun, 22 Nov 2026 20:00:00 GMT',
    'Content-Type: text/html; charset=utf-8',
    `Content-Length: ${BODY.length}`,
    'Cache-Control: max-age=0, private',
    'Vary: Accept-Encoding',
    'Server: canned',
    'ETag: "5d8c72a5edda8"',
    `Connection: ${connection}`,
    '',
    BODY,
  ].join('\r\n')
