import { describe, expect, it } from 'vitest'
import { readDetails, readIps, readRotations, readTraffic } from './read-details.ts'

const AT = '2026-11-23T10:00:00.000Z'

describe('what the hub tells of one device', () => {
  it('is read field by field; what is odd counts as not told', () => {
    const odd = { signal: 'full', battery: -1, temperature: Number.NaN, network_type: 5 }
    expect(
      readDetails({ id: 'a', kind: 'agent', maintenance: 'yes', tags: ['farm', 7, ''], telemetry: odd, data_used_bytes: 1.5 }),
    ).toEqual({
      tags: ['farm'],
      isInMaintenance: false,
      hasAgent: true,
      agentVersion: null,
      telemetry: { networkType: null, signal: null, battery: null, temperature: null, at: null },
      dataUsedBytes: null,
      dataCapBytes: null,
    })
  })

  it.each([null, [], 'text', { hello: 1 }])('%j is no answer', (json) => {
    expect([readDetails(json), readTraffic(json), readRotations(json), readIps(json)]).toEqual([null, null, [], []])
  })

  it('keeps the rotations and addresses that can be read beside those that cannot', () => {
    const rotation = {
      id: 'r',
      device_id: 'd',
      state: 'failed',
      reason: 'sim_locked',
      detail: 'PIN',
      created_at: AT,
      duration_ms: 5,
      old_ip: '<b>',
    }
    expect(readRotations({ rotations: [{ id: 'x' }, rotation] })).toEqual([
      {
        id: 'r',
        state: 'failed',
        trigger: null,
        reason: 'sim_locked',
        detail: 'PIN',
        oldIp: null,
        newIp: null,
        startedAt: Date.parse(AT),
        durationMs: 5,
      },
    ])
    const stretch = {
      ip: '10.0.0.1',
      first_seen: AT,
      last_seen: AT,
      is_current: true,
      seen_before: { times: 2 },
      is_blocked: true,
      blocked_for: ['a.example'],
    }
    expect(readIps({ ips: [{ ...stretch, ip: 'no address' }, stretch] })).toEqual([
      {
        ip: '10.0.0.1',
        from: Date.parse(AT),
        to: Date.parse(AT),
        isCurrent: true,
        seenBefore: 2,
        isBlocked: true,
        blockedFor: ['a.example'],
      },
    ])
  })
})
