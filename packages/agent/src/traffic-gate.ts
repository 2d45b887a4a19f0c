import type { Entrance } from './traffic.ts'

/** Decides whether the proxy takes requests: not while a rotation has fenced it, and not while traffic leaks. */
export class TrafficGate {
  readonly #traffic: Pick<Entrance, 'refuse' | 'accept' | 'destroyConnections'>
  readonly #hostAddresses: ReadonlySet<string>
  #isFenced: boolean = false
  #isLeaking: boolean = false
  #lastExitIp: string | null = null

  /** `hostAddresses`: seen as an exit IP, one of them means that traffic leaves by the wrong interface. */
  constructor(traffic: Pick<Entrance, 'refuse' | 'accept' | 'destroyConnections'>, hostAddresses: readonly string[]) {
    this.#traffic = traffic
    this.#hostAddresses = new Set(hostAddresses)
  }

  /** The exit IP that was seen last and was none of the host's. */
  get lastExitIp(): string | null {
    return this.#lastExitIp
  }

  /** Whether the exit IP that was seen last is one of the host's. */
  get isLeaking(): boolean {
    return this.#isLeaking
  }

  fence(): void {
    this.#isFenced = true
    this.#apply()
  }

  unfence(): void {
    this.#isFenced = false
    this.#apply()
  }

  /** Takes note of the exit IP that the hub saw. False when it is one of the host's: everything is cut then, until it is right again. */
  see(exitIp: string): boolean {
    const wasLeaking = this.#isLeaking
    this.#isLeaking = this.#hostAddresses.has(exitIp)
    if (!this.#isLeaking) this.#lastExitIp = exitIp
    if (wasLeaking !== this.#isLeaking) this.#apply()
    if (this.#isLeaking && !wasLeaking) this.#traffic.destroyConnections()
    return !this.#isLeaking
  }

  #apply(): void {
    if (this.#isLeaking) this.#traffic.refuse('egress_leak')
    else if (this.#isFenced) this.#traffic.refuse('draining')
    else this.#traffic.accept()
  }
}
