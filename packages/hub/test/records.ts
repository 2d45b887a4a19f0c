import { randomUUID } from 'node:crypto'
import type { UsageRecordJson } from '@mobilepool/sdk/contract'
import { newPendingDevice, settingsOf } from '../src/fleet/device.ts'
import type { DeviceSettings, RotationRecord, UsageEntry } from '../src/store/index.ts'

/** When the records of the tests begin. */
export const T0 = Date.parse('2026-11-22T03:00:00.000Z')

/** A device that somebody has adopted. */
export const deviceSettings = (name: string, over: Partial<DeviceSettings> = {}): DeviceSettings => ({
  ...settingsOf(newPendingDevice(randomUUID(), name, T0, { rotationInterval: 600, requestsPerMinute: null })),
  adoptedAt: T0,
  ...over,
})

/** A rotation that waits for its turn. */
export const rotationRecord = (of: { id: string; name: string }, over: Partial<RotationRecord> = {}): RotationRecord => ({
  id: randomUUID(),
  deviceId: of.id,
  deviceName: of.name,
  trigger: 'forced',
  requestedMethod: null,
  method: null,
  state: 'queued',
  oldIp: '112.161.54.7',
  newIp: null,
  reason: null,
  detail: null,
  comment: null,
  attempt: 0,
  maxAttempts: 3,
  notBefore: null,
  uniqueWithin: null,
  batchId: null,
  createdAt: T0,
  startedAt: null,
  deadlineAt: null,
  endedAt: null,
  ...over,
})

/** A parser's report of one attempt. */
export const usageRecord = (deviceId: string, over: Partial<UsageRecordJson> = {}): UsageRecordJson => ({
  device_id: deviceId,
  exit_ip: '127.10.1.1',
  target: 'shop.com',
  method: 'GET',
  status: 200,
  outcome: 'answered',
  attempt: 1,
  bytes_out: 0,
  bytes_in: 1_000,
  duration_ms: 120,
  at: new Date().toISOString(),
  ...over,
})

/** One attempt as the store takes it. */
export const usageEntry = (deviceId: string, over: Partial<UsageEntry> = {}): UsageEntry => ({
  deviceId,
  exitIp: '112.161.54.7',
  target: 'shop.com/a',
  site: 'shop.com',
  error: null,
  userAgent: null,
  method: 'GET',
  status: 200,
  outcome: 'answered',
  attempt: 1,
  session: null,
  bytesOut: 10,
  bytesIn: 100,
  durationMs: 200,
  at: T0,
  ...over,
})
