/** A proxy as Playwright's `proxy` option takes it, for `newContext()` and `launch()`. */
export interface PlaywrightProxy {
  /** `http://127.0.0.1:4000`, without credentials. */
  readonly server: string
  /** Left out: the proxy asks for nobody. */
  readonly username?: string
  /** Left out: the proxy asks for nobody. */
  readonly password?: string
}

/** A proxy as Puppeteer takes it: `launch({ args })`, and `page.authenticate(authenticate)` before the first page is opened. */
export interface PuppeteerProxy {
  /** Chromium's options: the proxy, loopback addresses through it too, and no WebRTC past it. */
  readonly args: string[]
  /** Null: the proxy asks for nobody. */
  readonly authenticate: { readonly username: string; readonly password: string } | null
}

/** A proxy URL, and the shapes that browsers' drivers want it in. */
export interface ProxyForms {
  /** `http://user:password@host:port`, for whatever takes a proxy URL. */
  readonly proxyUrl: string
  /** For `browser.newContext({ proxy })` and `launch({ proxy })` of Playwright. */
  readonly playwright: PlaywrightProxy
  /** For `launch({ args })` and `page.authenticate(authenticate)` of Puppeteer. */
  readonly puppeteer: PuppeteerProxy
}

/** Chromium goes directly to loopback addresses unless told otherwise, and WebRTC past every proxy. */
const NOTHING_DIRECT = ['--proxy-bypass-list=<-loopback>', '--force-webrtc-ip-handling-policy=disable_non_proxied_udp']

/** Puts a proxy URL into the shapes of browsers' drivers. */
export function proxyForms(proxyUrl: string): ProxyForms {
  const { protocol, host, username, password } = new URL(proxyUrl)
  // Browsers resolve names at a SOCKS5 proxy in any case, and do not know the other name for that.
  const server = `${protocol === 'socks5h:' ? 'socks5:' : protocol}//${host}`
  const credentials = username === '' && password === '' ? null : { username: decoded(username), password: decoded(password) }
  return {
    proxyUrl,
    playwright: { server, ...credentials },
    puppeteer: { args: [`--proxy-server=${server}`, ...NOTHING_DIRECT], authenticate: credentials },
  }
}

/** A percent sign that begins no byte stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
