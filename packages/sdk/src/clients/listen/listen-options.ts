import { z } from 'zod'
import { MobilePoolError } from '../../errors.ts'
import { count } from '../../options/numbers.ts'
import { optionsError } from '../../options/parse-options.ts'
import type { ProxyTls } from '../../proxy-server/index.ts'
import { isLoopback } from '../../proxy-server/is-loopback.ts'
import type { ViewOptions } from '../view-options.ts'

/** Options of `pool.listen()`. */
export interface ListenOptions {
  /** 0: a free one, see `LocalProxy.port`. @default 0 */
  port?: number
  /** Address to listen on. One that other machines reach needs a `password` of yours. @default '127.0.0.1' */
  host?: string
  /** Who may use the proxy. 1 to 255 characters, no colon. @default 'mobilepool' */
  username?: string
  /** 1 to 255 characters. @default a random one, see `LocalProxy.url` */
  password?: string
  /** Certificate and key (PEM) for clients that speak TLS to the proxy, on the same port; `required` turns the others away. @default none */
  tls?: ProxyTls
  /** What its requests ask of the pool. @default nothing */
  view?: ViewOptions
}

/** Defaults of `ListenOptions`. */
const listenDefaults = { port: 0, host: '127.0.0.1', username: 'mobilepool' } as const

const listenOptions = z.strictObject({
  port: count(0, 65_535).default(listenDefaults.port),
  host: z.string().min(1, 'is empty').default(listenDefaults.host),
  username: z
    .string()
    .regex(/^[^:\p{Cc}]{1,255}$/u, 'must have 1 to 255 characters, no colon')
    .default(listenDefaults.username),
  password: z
    .string()
    .regex(/^\P{Cc}{1,255}$/u, 'must have 1 to 255 characters')
    .optional(),
  tls: z.custom<ProxyTls>((value) => typeof value === 'object' && value !== null, 'must be an object with cert and key').optional(),
  view: z.custom<ViewOptions>((value) => typeof value === 'object' && value !== null, 'must be an object').optional(),
})

/** Checks the options; throws `MP_OPTIONS` that names every wrong one. The view is checked by whoever uses it. */
export function parseListenOptions(options: ListenOptions): z.output<typeof listenOptions> {
  const parsed = listenOptions.safeParse(options)
  if (!parsed.success) throw optionsError('the options of listen() are wrong', parsed.error)
  const { host, password } = parsed.data
  if (!isLoopback(host) && password === undefined) {
    throw new MobilePoolError(
      'MP_OPTIONS',
      `the options of listen() are wrong: password: choose one, since other machines reach ${host}; or listen on 127.0.0.1`,
      { phase: 'options' },
    )
  }
  return parsed.data
}
