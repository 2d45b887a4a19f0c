import { describe, expect, test } from 'vitest'
import { DeviceTunnel } from './device-tunnel.ts'
import type { TunnelSession } from './session.ts'

const session = (generation: number, slot: number, dial: number, streams = 0): TunnelSession =>
  ({ offer: { generation, slot, dial }, streams, rttMs: null, isOver: false }) as unknown as TunnelSession

const tunnelOf = (...sessions: TunnelSession[]): DeviceTunnel => {
  const tunnel = new DeviceTunnel('seoul-01', 0)
  for (const one of sessions) tunnel.open.add(one)
  tunnel.generation = Math.max(0, ...sessions.map(({ offer }) => offer.generation))
  return tunnel
}

describe('a dial', () => {
  const here = [session(5, 0, 10), session(5, 1, 11)]
  test.each([
    ['of a newer generation replaces all', { generation: 6, slot: 0, dial: 1 }, here],
    ['of the same generation replaces the one in its slot', { generation: 5, slot: 1, dial: 12 }, [here[1]]],
    ['for a free slot replaces none', { generation: 5, slot: 2, dial: 12 }, []],
    ['of an older generation is late', { generation: 4, slot: 2, dial: 99 }, null],
    ['that was made before the one in its slot is late', { generation: 5, slot: 1, dial: 9 }, null],
  ])('%s', (_what, offer, replaces) => {
    expect(tunnelOf(...here).judge(offer)).toEqual(replaces === null ? { isStale: true } : { isStale: false, replaces })
  })

  test('of an older generation is late even when all sessions of the newer one are over', () => {
    const tunnel = tunnelOf()
    tunnel.generation = 5
    expect(tunnel.judge({ generation: 4, slot: 0, dial: 1 })).toEqual({ isStale: true })
  })
})

test('the session with the fewest connections takes the next one', () => {
  const quiet = session(1, 1, 2, 3)
  expect(tunnelOf(session(1, 0, 1, 7), quiet, session(1, 2, 3, 5)).leastActive()).toBe(quiet)
  expect(tunnelOf().leastActive()).toBeNull()
})
