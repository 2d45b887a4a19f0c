import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { extname, join, normalize } from 'node:path'

/** The built page. */
export const dist = join(import.meta.dirname, '..', 'dist')

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
}

/** Answers with a file of the built page, under a content security policy of its own. */
export function serveFile(pathname: string, response: ServerResponse, policy: string): void {
  const path = normalize(join(dist, pathname.endsWith('/') ? `${pathname}index.html` : pathname))
  try {
    if (!path.startsWith(dist)) throw new Error('outside of the page')
    const body = readFileSync(path)
    const type = types[extname(path)] ?? 'application/octet-stream'
    response.writeHead(200, { 'content-type': type, 'content-security-policy': policy, 'x-content-type-options': 'nosniff' }).end(body)
  } catch {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('not found')
  }
}
