import { stripVTControlCharacters } from 'node:util'
import { type ProxyStatusJson, statusReply } from '@mobilepool/sdk/contract'
import { describe, expect, it } from 'vitest'
import { type Picture, paint } from '../demo/summary.ts'

const at = '2026-01-01T00:00:00.000Z'
const device: ProxyStatusJson = {
  name: 'moscow-07',
  remote_ip: '127.10.2.3',
  last_seen: at,
  created_at: at,
  id: '5b2c1a52-6f7e-4f0e-9b1a-0c4a9f6a1c11',
  kind: 'agent',
  device_type: 'usb_modem',
  status: 'rotating',
  operator: 'MTS',
  region: 'Moscow',
  ip_changes: 12,
  rotations: { changed: 12, unchanged: 1, failed: 0 },
  last_rotation: { outcome: 'changed', trigger: 'interval', reason: null, ended_at: at, duration_ms: 1700 },
}
const picture: Picture = {
  startedAt: 0,
  tally: { settled: new Map(), started: 0, answered: 0, errors: [], exitIps: new Set(), byDevice: new Map([['moscow-07', 12_345]]) },
  target: { bans: 140 },
  status: statusReply.parse({ total: 1, proxies: [device], timestamp: at, last_event_id: 'a-1' }),
  notices: ['No curl on this machine (apt-get install curl): crontab-06 is left out, and this notice is a long one.'],
}
const lines = (width?: number) => paint(picture, 60_000, width).map(stripVTControlCharacters)

describe('the live picture of the demo', () => {
  it.each([40, 80])('has no line that a terminal of %i columns would wrap', (width) => {
    expect(Math.max(...lines(width).map(({ length }) => length))).toBeLessThanOrEqual(width)
  })

  it('shows a whole device in 80 columns', () => {
    expect(lines(80)).toContain('moscow-07   rotating 127.10.2.3  12345   13        changed by interval in 1.7 s')
  })

  it('cuts nothing where there is no terminal', () => {
    expect(lines().at(-1)).toBe(picture.notices[0])
  })
})
