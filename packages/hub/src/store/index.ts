/** The store: the only place that knows SQL and the two databases. */
export type { DeviceRecord, DeviceSettings, LastRotation, Stint } from './device-store.ts'
export type { EnrolmentStore } from './enrolment-store.ts'
export { isBadValue, isDatabaseDown } from './failures.ts'
export type { Beat, HeartbeatStore } from './heartbeat-store.ts'
export type { KeyRecord, KeyStore } from './key-store.ts'
export { openStore, type Store } from './open.ts'
export type { PulseStore } from './pulse-store.ts'
export type { RotationRecord } from './rotation-store.ts'
