import { AgentError } from '../../errors.ts'
import { type DeviceAnswer, DeviceHttp } from '../device-http.ts'
import type { HttpLinkOptions } from './options.ts'

const MAX_REDIRECTS = 3
/** One provider answers only to something like a browser. */
const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64) MobilePool'

/**
 * Calls the link. Redirects are followed, three at most, never from https to http; headers and credentials stay with the first origin.
 * Throws `device_unreachable`, `unsupported` for redirects that are not followed.
 */
export async function callLink(options: HttpLinkOptions, signal: AbortSignal): Promise<DeviceAnswer> {
  const first = new URL(options.url)
  let url = first
  let { method, body } = options
  for (let redirects = 0; ; redirects += 1) {
    const own = url.origin === first.origin ? { ...credentials(first), ...options.headers } : {}
    const http = new DeviceHttp({ origin: url.origin, timeoutMs: options.timeoutMs })
    const answer = await http.send(
      {
        method,
        path: url.pathname + url.search,
        headers: { 'user-agent': USER_AGENT, accept: '*/*', ...own },
        ...(body === undefined ? {} : { body }),
      },
      signal,
    )
    const { location } = answer.headers
    if (answer.status < 300 || answer.status > 399 || location === undefined) return answer
    if (redirects === MAX_REDIRECTS) throw new AgentError('unsupported', 'The rotation link redirects without end.')
    url = nextUrl(location, url)
    if (answer.status !== 307 && answer.status !== 308) {
      method = 'GET'
      body = undefined
    }
  }
}

function nextUrl(location: string, from: URL): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : null
  if (to?.protocol === 'https:' || (to?.protocol === 'http:' && from.protocol === 'http:')) return to
  throw new AgentError('unsupported', 'The rotation link redirects to where it is not followed: to no URL, or from https to http.')
}

function credentials({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}
