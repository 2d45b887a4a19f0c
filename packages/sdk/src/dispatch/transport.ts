import type { ConnectionOptions } from 'node:tls'
import type { Clock } from '../clock.ts'
import { MobilePoolError } from '../errors.ts'
import type { DeviceStream, Dial } from './connect-device.ts'
import type { CarriedHandler } from './connections.ts'
import { basicAuthorization, type Endpoint, parseEndpoint } from './endpoint.ts'
import { Generation, type GenerationSettings } from './generation.ts'
import type { DispatchOptions } from './handlers.ts'
import type { Opening } from './opening.ts'
import type { PathTarget } from './path.ts'
import { cleanHeaders, forwardHeaders } from './request-headers.ts'
import type { Target } from './target.ts'

export interface TransportSettings extends GenerationSettings {
  readonly connectTimeoutMs: number
  readonly proxyTls: ConnectionOptions
  /** How devices are reached whose proxy URL is `TUNNEL_URL`. */
  readonly dial?: Dial | undefined
}

/** How requests get to one device. */
export interface TransportTarget {
  readonly deviceId: string
  readonly deviceName: string
  readonly proxyUrl: string
  /** `auto`: absolute form for http:, CONNECT for https: and upgrades. `always`: CONNECT for all. */
  readonly tunnel: 'auto' | 'always'
}

/** A connection of a path, as the transport made it. */
export interface PathLink {
  readonly socket: DeviceStream
  /** It leads to the device's own proxy, for absolute form. */
  readonly isForward: boolean
  /** What that proxy wants as `Proxy-Authorization`. */
  readonly authorization: string | null
  /** Nobody uses the socket now: a drain closes it at once. */
  rest(): void
  /** It is in use again; false: it is closed, or about to be. */
  wake(): boolean
}

/** The caller's time limits are kept by our timers; undici's would run beside them. */
const hasOwnTimers = ({ headersTimeout, bodyTimeout }: DispatchOptions): boolean => (headersTimeout ?? 0) !== 0 || (bodyTimeout ?? 0) !== 0
const OWN_TIMERS = { headersTimeout: 0, bodyTimeout: 0 }

/**
 * The connections of one device. They are made when the first request needs them (a fleet of thousands costs nothing while idle)
 * and belong to a generation that `renew` swaps out.
 */
export class Transport {
  readonly target: TransportTarget
  readonly #endpoint: Endpoint
  readonly #authorization: string | null
  readonly #settings: TransportSettings
  readonly #clock: Clock
  #current: Generation | null = null
  readonly #leaving = new Set<Generation>()
  /** How often the connections were thrown away. */
  generation = 0

  constructor(target: TransportTarget, settings: TransportSettings, clock: Clock) {
    this.target = target
    this.#endpoint = parseEndpoint(target.proxyUrl)
    this.#authorization = basicAuthorization(this.#endpoint)
    this.#settings = settings
    this.#clock = clock
  }

  /** Whether a request to this target goes in absolute form: the device's proxy then sees and answers it itself. */
  usesAbsoluteForm(options: DispatchOptions, target: Target): boolean {
    return this.#mayForward && target.isPlainHttp && !options.upgrade && options.method !== 'CONNECT'
  }

  dispatch(options: DispatchOptions, target: Target, isAbsoluteForm: boolean, handler: CarriedHandler): void {
    const generation = this.#open()
    if (isAbsoluteForm) {
      const headers = forwardHeaders(options.headers, target.host, this.#authorization)
      const { origin } = generation
      const path = target.origin + options.path
      // One literal: a second copy would cost more than all the rest of this.
      generation.forward(
        hasOwnTimers(options) ? { ...options, origin, path, headers, ...OWN_TIMERS } : { ...options, origin, path, headers },
        handler,
      )
      return
    }
    const headers = cleanHeaders(options.headers)
    const isAsItIs = headers === options.headers && !hasOwnTimers(options)
    generation.tunnel(isAsItIs ? options : { ...options, headers, ...OWN_TIMERS }, target, handler)
  }

  /** Makes a connection that such a request could use, to be idle once it stands. Null: there is one. */
  prepare(options: DispatchOptions, target: Target, onEnd: (error: Error | null) => void): Opening | null {
    return this.#open().prepare(options, this.usesAbsoluteForm(options, target) ? null : target, onEnd)
  }

  /** Whether a path to this target leads to the device's own proxy. */
  isForward({ isPlainHttp }: PathTarget): boolean {
    return this.#mayForward && isPlainHttp
  }

  /** Opens a connection for bytes that are not a request's, in the present generation. */
  connect(target: PathTarget, callback: (error: Error | null, link: PathLink | null) => void): Opening {
    const generation = this.#open()
    const isForward = this.isForward(target)
    return generation.connect(isForward ? null : target, (error, socket) => {
      if (socket === null) callback(error, null)
      else {
        socket.on('error', () => {})
        callback(null, {
          socket,
          isForward,
          authorization: isForward ? this.#authorization : null,
          rest: () => generation.rest(socket),
          wake: () => generation.wake(socket),
        })
      }
    })
  }

  /**
   * New requests use new sockets at once. Of the old ones the idle close now, so that the device sees itself drained, and those in
   * flight get `graceMs` to finish. Resolves when none of them is left.
   */
  async renew(graceMs: number): Promise<void> {
    const old = this.#current
    this.#current = null
    this.generation++
    if (old === null) return
    this.#leaving.add(old)
    const callOff = this.#clock.schedule(graceMs, () => {
      const error = new MobilePoolError(
        'MP_DEVICE_ROTATED',
        `device ${this.target.deviceName}: the request was still under way ${graceMs} ms after the drain began`,
        {
          phase: 'body',
          deviceId: this.target.deviceId,
        },
      )
      void old.destroy(error)
    })
    await old.close()
    callOff()
    this.#leaving.delete(old)
  }

  /** Ends everything now. */
  async destroy(error: Error): Promise<void> {
    const all = [...this.#leaving, ...(this.#current === null ? [] : [this.#current])]
    this.#current = null
    this.#leaving.clear()
    await Promise.all(all.map((generation) => generation.destroy(error)))
  }

  get #mayForward(): boolean {
    const { protocol } = this.#endpoint
    return (protocol === 'http' || protocol === 'https') && this.target.tunnel === 'auto'
  }

  #open(): Generation {
    if (this.#current !== null) return this.#current
    const { deviceId, deviceName } = this.target
    const { proxyTls, connectTimeoutMs, dial } = this.#settings
    this.#current = new Generation({ deviceId, deviceName, endpoint: this.#endpoint, proxyTls, connectTimeoutMs, dial }, this.#settings)
    return this.#current
  }
}
