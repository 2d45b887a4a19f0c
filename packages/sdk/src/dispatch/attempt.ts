import type { Duplex } from 'node:stream'
import type { BodyTest } from '../bans/body-test.ts'
import type { Device } from '../core/device.ts'
import { MobilePoolError } from '../errors.ts'
import type { AttemptOwner } from './attempt-owner.ts'
import { errnoOf } from './connect-device.ts'
import type { CarriedHandler, CarryingConnection, SocketKeeper } from './connections.ts'
import type { Timed } from './deadlines.ts'
import { DeviceAttempt } from './device-attempt.ts'
import type { DispatchController, ResponseHeaders } from './handlers.ts'
import { HeldResponse, type ResponseHead } from './held-response.ts'
import type { Opening } from './opening.ts'

/**
 * How far an attempt is.
 * `unsent`: connecting; the request line was not written. `sent`: waiting for the response. `held`: head and beginning of the body are
 * kept back. `delivering`: the caller gets it. `draining`: its response is read to its end only to keep the socket.
 * `over`: nothing of it counts any more.
 */
type Stage = 'unsent' | 'sent' | 'held' | 'delivering' | 'draining' | 'over'

/** A response given up is read to its end when it is at most this long, and quick: cheaper than a new connection. */
const DRAIN_BYTES = 16_384
const DRAIN_MS = 1_000

/** One attempt of a request on one device: the handler that undici drives. */
export class Attempt extends DeviceAttempt implements CarriedHandler, Timed {
  /** It was sent to the device's proxy in absolute form. */
  isAbsoluteForm: boolean = false
  // Its place among the deadlines.
  row: Timed['row'] = null
  dueAt = 0
  earlier: Timed | null = null
  later: Timed | null = null
  readonly #owner: AttemptOwner
  #stage: Stage = 'unsent'
  #controller: DispatchController | null = null
  #pending: Opening | null = null
  #keeper: SocketKeeper | null = null
  #connection: CarryingConnection | null = null
  #hasAnswerBegun: boolean = false
  #drained = 0
  #held: HeldResponse | null = null
  #isReleased: boolean = false

  constructor(owner: AttemptOwner, device: Device) {
    super(device, owner)
    this.#owner = owner
  }

  get wasSent(): boolean {
    return this.#stage !== 'unsent'
  }

  get isDelivering(): boolean {
    return this.#stage === 'delivering'
  }

  get isHeld(): boolean {
    return this.#stage === 'held'
  }

  /** The caller wants no more for now. What is held back goes on to come: it is little, and the caller does not see it. */
  pause(): void {
    if (this.#isOnWire && this.#stage !== 'held') this.#controller?.pause()
  }

  /** The caller wants more: first what was kept back while it was paused, then what the wire brings. */
  resume(): void {
    if (this.#stage === 'delivering') this.#owner.deadlines.refresh(this)
    if (this.#held === null) this.#controller?.resume()
    else this.#guarded(() => this.#flush())
  }

  /** It has no connection yet, and still wants one. */
  get isWaiting(): boolean {
    return this.#stage === 'unsent'
  }

  get mayBeSentAgain(): boolean {
    return this.#owner.mayBeSentAgain
  }

  carriedBy(keeper: SocketKeeper): void {
    this.#keeper = keeper
  }

  carriedOver(connection: CarryingConnection): void {
    this.#connection = connection
  }

  /** The caller aborted: ends it wherever it is. Returns whether the end will be reported through `onFailure`. */
  abort(reason: Error): boolean {
    if (this.#stage === 'unsent') {
      this.#leave()
      this.#pending?.cancel(reason)
      return false
    }
    if (!this.#isOnWire) {
      this.#leave()
      return false
    }
    this.#controller?.abort(reason)
    return true
  }

  onConnecting(opening: Opening): void {
    this.#pending = opening
    this.#owner.onConnecting(this)
  }

  /**
   * Another device's connection stood first: nothing of this attempt counts any more, and its connection goes on alone. The device is free
   * when that has ended, and `onEnd` hears how. False: its connection stands.
   */
  standAside(onEnd: (error: Error | null) => void): boolean {
    if (this.#stage !== 'unsent' || this.#pending === null) return false
    this.#stage = 'over'
    const isLetGo = this.#pending.detach(new Error('another device was quicker'), (error) => {
      this.#release()
      onEnd(error)
    })
    if (!isLetGo) this.#stage = 'unsent'
    return isLetGo
  }

  onRequestStart(controller: DispatchController): void {
    this.#controller = controller
    this.#pending = null
    if (this.#stage !== 'unsent') {
      controller.abort(this.#owner.abortReason)
      return
    }
    this.#stage = 'sent'
    this.#owner.onConnected(this)
    this.bytesOut = this.#owner.bodyBytes
    if (this.#owner.isPaused) controller.pause()
    this.#awaitProgress()
  }

  onResponseStarted(): void {
    this.#hasAnswerBegun = true
    if (this.#stage === 'sent') this.#owner.onResponseStarted()
  }

  onBodySent(chunk: Buffer): void {
    if (this.#stage !== 'sent') return
    this.#awaitProgress()
    this.#owner.onBodySent(chunk)
  }

  onRequestSent(): void {
    if (this.#stage === 'sent') this.#owner.onRequestSent()
  }

  onResponseStart(controller: DispatchController, statusCode: number, headers: ResponseHeaders, statusMessage?: string): void {
    if (this.#stage !== 'sent') return
    if (statusCode < 200) {
      this.#awaitProgress()
      this.#owner.onInformation(controller, statusCode, headers, statusMessage)
      return
    }
    this.#owner.deadlines.clear(this)
    const verdict = this.#owner.onHead(this, statusCode, headers)
    if (verdict === 'deliver') this.#deliver(controller, statusCode, headers, statusMessage)
    else if (verdict === 'give_up') this.#giveUp(controller, headers)
    else this.#hold(controller, { statusCode, headers, statusMessage }, verdict)
  }

  onRequestUpgrade(controller: DispatchController, statusCode: number, headers: ResponseHeaders, socket: Duplex): void {
    if (this.#stage !== 'sent') {
      socket.destroy()
      return
    }
    this.#owner.deadlines.clear(this)
    this.#stage = 'over'
    this.#keeper?.adopt(socket, () => socket.destroy())
    socket.once('close', () => this.#release())
    this.#owner.onUpgrade(this, controller, statusCode, headers, socket)
  }

  onResponseData(controller: DispatchController, chunk: Buffer): void {
    this.bytesIn += chunk.length
    if (this.#stage === 'delivering') {
      this.#owner.deadlines.refresh(this)
      if (this.#held === null || this.#held.isEmpty) this.#owner.onData(chunk)
      else this.#held.add(chunk)
    } else if (this.#stage === 'held') {
      this.#held?.add(chunk)
      if (this.#held?.isEnough) this.#decide(controller)
    } else if (this.#stage === 'draining') {
      this.#drained += chunk.length
      if (this.#drained > DRAIN_BYTES) this.#dismiss(controller)
    }
  }

  onResponseEnd(controller: DispatchController, trailers: ResponseHeaders): void {
    // Before the device is free: who waits for it is to have the connection too.
    this.#connection?.finishing()
    if (this.#held !== null && (this.#stage === 'held' || this.#stage === 'delivering')) {
      this.#held.trailers = trailers
      this.#release()
      if (this.#stage === 'held') this.#decide(controller)
      else this.#flush()
      return
    }
    const wasDelivering = this.#stage === 'delivering'
    this.#leave()
    if (wasDelivering) this.#owner.onEnd(this, controller, trailers)
  }

  onResponseError(_controller: DispatchController | null, error: Error): void {
    if (this.#goesOnElsewhere(error)) return
    this.#owner.deadlines.clear(this)
    const counts = this.#stage !== 'over' && this.#stage !== 'draining'
    const match = this.#stage === 'held' && !this.#owner.isAborted ? (this.#held?.match() ?? null) : null
    if (counts) this.#owner.onFailure(this, error, match)
    if (this.#stage !== 'over') this.#leave()
  }

  /** The error is that of a used socket, and the request goes on over another one: it was not written yet, or may be sent again. */
  #goesOnElsewhere(error: Error): boolean {
    const connection = this.#connection
    if (connection === null) return false
    if (this.#stage === 'unsent') return connection.lostUnused()
    if (this.#stage !== 'sent' || this.#hasAnswerBegun || !connection.wasHasty || !isPeersClose(error)) return false
    this.#owner.deadlines.clear(this)
    this.#stage = 'unsent'
    if (connection.lostUnused()) return true
    this.#stage = 'sent'
    return false
  }

  /** Undici still has the response: its controller is ours. */
  get #isOnWire(): boolean {
    return this.#held === null || this.#held.trailers === null
  }

  #hold(controller: DispatchController, head: ResponseHead, test: BodyTest): void {
    this.#stage = 'held'
    this.#held = new HeldResponse(head, test)
    if (controller.paused) controller.resume()
    this.#owner.deadlines.set(this, test.maxWaitMs)
  }

  /** There is enough of the body, or all of it, or it was waited for long enough. */
  #decide(controller: DispatchController): void {
    const held = this.#held
    if (held === null || this.#stage !== 'held' || this.#owner.isAborted) return
    this.#owner.deadlines.clear(this)
    if (this.#owner.onTested(this, held.match(), held.head) === 'give_up') {
      this.#giveUp(controller, held.head.headers)
      return
    }
    const { statusCode, headers, statusMessage } = held.head
    this.#deliver(controller, statusCode, headers, statusMessage)
    this.#flush()
  }

  #deliver(controller: DispatchController, statusCode: number, headers: ResponseHeaders, statusMessage?: string): void {
    this.#stage = 'delivering'
    this.#await(this.#owner.bodyTimeoutMs)
    if (this.#held !== null && this.#isOnWire && this.#owner.isPaused) controller.pause()
    this.#owner.onDelivery(this, controller, statusCode, headers, statusMessage)
  }

  #giveUp(controller: DispatchController, headers: ResponseHeaders): void {
    this.#drained = this.#held?.size ?? 0
    if (!this.#isOnWire) this.#leave()
    else if (Number(headers['content-length']) <= DRAIN_BYTES) {
      this.#stage = 'draining'
      if (controller.paused) controller.resume()
      this.#owner.deadlines.set(this, DRAIN_MS)
    } else this.#dismiss(controller)
    this.#owner.onGivenUp()
  }

  /** Delivers what was kept back, and the end if that is all. */
  #flush(): void {
    const held = this.#held
    const controller = this.#controller
    if (held === null || controller === null || this.#stage !== 'delivering') return
    const mayGoOn = (): boolean => this.#stage === 'delivering' && !this.#owner.isPaused && !this.#owner.isAborted
    const isAllPassed = held.passTo((chunk) => this.#owner.onData(chunk), mayGoOn)
    if (!isAllPassed || !mayGoOn()) return
    if (held.trailers === null) {
      if (controller.paused) controller.resume()
      return
    }
    this.#leave()
    this.#owner.onEnd(this, controller, held.trailers)
  }

  /** Runs what calls the caller's handler outside of undici's own calls: what it throws ends the request, not the process. */
  #guarded(run: () => void): void {
    try {
      run()
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown))
      if (this.#isOnWire) this.#controller?.abort(error)
      else this.onResponseError(null, error)
    }
  }

  /** What was waited for did not come in time. */
  onDue(): void {
    const controller = this.#controller
    if (controller === null) return
    if (this.#stage === 'sent') controller.abort(this.#silence())
    else if (this.#stage === 'held') this.#guarded(() => this.#decide(controller))
    else if (this.#stage === 'draining') this.#dismiss(controller)
    else if (this.#stage === 'delivering' && this.#isOnWire) this.#noteStall(controller)
  }

  /** Nothing for `firstByteTimeoutMs`: no progress in sending, no byte of an answer. */
  #awaitProgress(): void {
    this.#await(this.#owner.firstByteTimeoutMs)
  }

  /** `limitMs` 0: for ever. */
  #await(limitMs: number): void {
    if (limitMs === 0) this.#owner.deadlines.clear(this)
    else this.#owner.deadlines.set(this, limitMs)
  }

  #silence(): MobilePoolError {
    const { id, facts } = this.device
    const message = `device ${facts.name}: no response within ${this.#owner.firstByteTimeoutMs} ms`
    return new MobilePoolError('MP_RESPONSE_TIMEOUT', message, { phase: 'response', deviceId: id })
  }

  /** Nothing of the body for `bodyTimeoutMs`; it counts only while the caller wanted more. */
  #noteStall(controller: DispatchController): void {
    const limit = this.#owner.bodyTimeoutMs
    if (this.#owner.isPaused) this.#await(limit)
    else controller.abort(Object.assign(new Error(`no byte of it for ${limit} ms`), { code: 'ETIMEDOUT' }))
  }

  /** Ends a response that nobody wants, and its connection. */
  #dismiss(controller: DispatchController): void {
    this.#leave()
    controller.abort(this.#owner.abortReason)
  }

  #leave(): void {
    this.#owner.deadlines.clear(this)
    this.#stage = 'over'
    this.#release()
  }

  #release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#owner.onRelease(this)
  }
}

/** The connection ended from the other side. */
const isPeersClose = (error: Error): boolean => PEERS_CLOSE.has(errnoOf(error) ?? '')

/** undici's word for a FIN, and the system's for a RST met in reading and in writing. */
const PEERS_CLOSE: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])
