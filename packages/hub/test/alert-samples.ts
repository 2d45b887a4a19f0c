import { randomUUID } from 'node:crypto'
import type { AlertNotice } from '@mobilepool/sdk/contract'
import type { Notice } from '../src/alerts/channels/channel-kind.ts'
import type { AlertMessage, AlertRecord } from '../src/store/index.ts'

export const T0 = Date.parse('2026-11-23T03:00:00.000Z')

/** An alert about a device that is silent. */
export const sampleAlert = (over: Partial<AlertRecord> = {}): AlertRecord => ({
  id: randomUUID(),
  rule: 'device_silent',
  subject: { kind: 'device', id: randomUUID(), name: 'kazan-02' },
  severity: 'critical',
  title: 'kazan-02 is silent',
  detail: 'Not heard for 5 min; last heard 2026-11-23 02:55 UTC (MTS, Kazan).',
  value: 300,
  members: [],
  startedAt: T0,
  resolvedAt: null,
  remindedAt: null,
  acknowledged: null,
  ...over,
})

export const sampleMessage = (over: Partial<AlertRecord> = {}, notice: AlertNotice = 'firing'): AlertMessage => ({
  notice,
  alert: sampleAlert(over),
})

export const sampleNotice = (over: Partial<AlertRecord> = {}, notice: AlertNotice = 'firing'): Notice => ({
  id: randomUUID(),
  ...sampleMessage(over, notice),
})
