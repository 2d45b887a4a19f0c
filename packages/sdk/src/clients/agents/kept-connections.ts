import type { Path } from '../../dispatch/path.ts'

/**
 * Idle connections of an agent, by device and by where they lead. The newest is reused first: it is the least likely to have been closed
 * at the other end. Beyond `maxIdlePerDevice` the oldest is closed. A drain of the device closes them too, without our help.
 */
export class KeptConnections {
  readonly #idle = new Map<string, Map<Path, Kept>>()
  readonly #maxIdlePerDevice: number

  constructor(maxIdlePerDevice: number) {
    this.#maxIdlePerDevice = maxIdlePerDevice
  }

  /** Keeps a connection until it is taken, closes, or the time is over. */
  keep(path: Path, leadsTo: string, idleMs: number): void {
    const { socket, device } = path
    const ofDevice = this.#idle.get(device.deviceId) ?? new Map<Path, Kept>()
    this.#idle.set(device.deviceId, ofDevice)
    const close = (): void => void socket.destroy()
    const timer = setTimeout(close, idleMs)
    timer.unref()
    const forget = (): void => {
      clearTimeout(timer)
      socket.off('close', forget).off('data', close)
      ofDevice.delete(path)
      if (ofDevice.size === 0 && this.#idle.get(device.deviceId) === ofDevice) this.#idle.delete(device.deviceId)
    }
    // Whoever speaks unasked cannot be trusted with the next request.
    socket.once('close', forget).once('data', close)
    ofDevice.set(path, { leadsTo, forget })
    if (ofDevice.size > this.#maxIdlePerDevice) for (const [oldest] of [...ofDevice].slice(0, 1)) oldest.socket.destroy()
  }

  /** An idle connection through the device to there; it is the caller's from now on. */
  take(deviceId: string, leadsTo: string): Path | undefined {
    const found = [...(this.#idle.get(deviceId) ?? [])].findLast(([path, kept]) => kept.leadsTo === leadsTo && !path.socket.destroyed)
    found?.[1].forget()
    return found?.[0]
  }

  /** Closes all. */
  close(): void {
    for (const ofDevice of [...this.#idle.values()]) for (const path of [...ofDevice.keys()]) path.socket.destroy()
  }
}

interface Kept {
  readonly leadsTo: string
  readonly forget: () => void
}
