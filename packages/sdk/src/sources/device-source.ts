import type { RotationTrigger } from '../contract/index.ts'
import type { OwnLimits } from '../core/limits.ts'
import type { RotationResult } from '../events.ts'

/** A device as its source describes it. */
export interface DeviceRecord {
  readonly id: string
  readonly name: string
  /** Null: it cannot be reached, so it gets no traffic. `TUNNEL_URL`: by the embedding program's `dial`. */
  readonly proxyUrl: string | null
  /** It is reached through the hub's gateway, which counts its requests. @default false */
  readonly isByGateway?: boolean
  readonly exitIp: string | null
  readonly isOnline: boolean
  /** Out of reach for a moment only: requests wait for it. @default false */
  readonly isReturning?: boolean
  /** It is rotating, or about to. */
  readonly isRotating: boolean
  readonly weight: number
  readonly tags: readonly string[]
  readonly operator: string | null
  readonly region: string | null
  readonly type: string
  /** `always`: also http: requests go through a tunnel to the target, not in absolute form. */
  readonly tunnel: 'auto' | 'always'
  /** Limits of its own, where it has them. */
  readonly limits?: OwnLimits
}

/** What a source tells the pool. */
export interface SourceListener {
  /** The whole fleet. What is not in it is gone. */
  onSnapshot(devices: readonly DeviceRecord[]): void
  onDevice(device: DeviceRecord): void
  onDeviceRemoved(id: string): void
  onExitIp(id: string, exitIp: string): void
  /** A rotation of the device is announced or under way. */
  onRotationRunning(id: string): void
  /** A rotation of the device waits for its turn or for its next attempt: until then the device serves. */
  onRotationWaiting(id: string): void
  /** It is over. Told once a rotation. */
  onRotationEnd(result: RotationResult): void
  /** The stream of changes is up again. */
  onUp(): void
  /** It is down; `isRefusal`: trying again will not help until somebody changes a key. */
  onDown(trouble: { readonly reason: string; readonly retryInMs: number; readonly isRefusal: boolean }): void
}

/** Where devices come from. */
export interface DeviceSource {
  /** Whether devices may still appear after the first snapshot. */
  readonly mayGrow: boolean
  start(listener: SourceListener): void
  /**
   * Begins a rotation and resolves when it is over. Throws `MobilePoolError` when it cannot begin.
   * `unique` (`24h`): again, within the attempts, while the new exit IP was seen within this time.
   */
  rotate(id: string, trigger: RotationTrigger, unique?: string): Promise<RotationResult>
  /** Stops; nothing of it stays open. */
  close(): Promise<void>
}
