import { Duplex } from 'node:stream'
import { WHOLE_POOL } from '../../packages/sdk/src/clients/scope.ts'
import { ViewDispatcher } from '../../packages/sdk/src/clients/view-dispatcher.ts'
import { parseOptions } from '../../packages/sdk/src/options/parse-options.ts'
import type { MobilePoolOptions } from '../../packages/sdk/src/options/pool-options.ts'
import { assemblePool } from '../../packages/sdk/src/pool-parts.ts'
import type { SourceListener } from '../../packages/sdk/src/sources/device-source.ts'
import { cannedReply } from './canned-reply.ts'

const HEAD_END = '\r\n\r\n'
const REPLY = Buffer.from(cannedReply('keep-alive'), 'latin1')

/**
 * A connection without a kernel: whoever writes a request's head to it reads the canned reply in the next turn of the event loop, as from
 * a socket. Requests have no bodies here.
 */
export class MemoryStream extends Duplex {
  bytesRead = 0
  bytesWritten = 0

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, written: () => void): void {
    this.bytesWritten += chunk.length
    if (chunk.subarray(-HEAD_END.length).toString('latin1') === HEAD_END) setImmediate(answer, this)
    written()
  }

  override _final(ended: () => void): void {
    this.push(null)
    ended()
  }
}

function answer(stream: MemoryStream): void {
  stream.bytesRead += REPLY.length
  stream.push(REPLY)
}

const DEVICE = {
  id: 'memory',
  name: 'memory',
  proxyUrl: 'tunnel:',
  exitIp: null,
  isOnline: true,
  isRotating: false,
  weight: 1,
  tags: [],
  operator: null,
  region: null,
  type: 'usb_modem',
  tunnel: 'auto',
} as const

/** A pool of one device that is reached over `MemoryStream`. */
export function memoryPool(options: Omit<MobilePoolOptions, 'devices' | 'hub'>): { dispatcher: ViewDispatcher; close(): Promise<void> } {
  const parts = assemblePool(parseOptions({ ...options, devices: [] }), {
    pool: {},
    emit: () => {},
    supply: {
      source: {
        mayGrow: false,
        start: (listener: SourceListener) => {
          listener.onSnapshot([DEVICE])
          listener.onUp()
        },
        rotate: () => Promise.reject(new Error('a device in memory does not rotate')),
        close: () => Promise.resolve(),
      },
      dial: () => Promise.resolve(new MemoryStream()),
    },
  })
  parts.start()
  return { dispatcher: new ViewDispatcher(parts.carrier, WHOLE_POOL), close: () => parts.close(1_000) }
}
