import { describe, expect, test } from 'vitest'
import { TrafficGate } from './traffic-gate.ts'

const gateOf = () => {
  let state = 'accepts'
  let cuts = 0
  const proxy = {
    refuse: (code: string) => {
      state = code
    },
    accept: () => {
      state = 'accepts'
    },
    destroyConnections: () => {
      cuts += 1
      return 0
    },
  }
  return { gate: new TrafficGate(proxy, ['127.0.0.1', '203.0.113.9']), proxy: () => ({ state, cuts }) }
}

describe('the gate', () => {
  test('is closed by a fence and opened again', () => {
    const { gate, proxy } = gateOf()
    gate.fence()
    expect(proxy().state).toBe('draining')
    gate.unfence()
    expect(proxy().state).toBe('accepts')
  })

  test('closes and cuts everything when the exit IP is the host’s, and opens when it is the device’s again', () => {
    const { gate, proxy } = gateOf()
    expect([gate.see('127.10.1.1'), gate.isLeaking]).toEqual([true, false])
    expect([gate.see('203.0.113.9'), gate.isLeaking]).toEqual([false, true])
    expect(gate.see('203.0.113.9')).toBe(false)
    expect(proxy()).toEqual({ state: 'egress_leak', cuts: 1 })
    expect(gate.lastExitIp).toBe('127.10.1.1')
    expect(gate.see('127.10.1.2')).toBe(true)
    expect(proxy()).toEqual({ state: 'accepts', cuts: 1 })
  })

  test('stays closed by a leak when a rotation ends, and by the rotation when the leak does', () => {
    const { gate, proxy } = gateOf()
    gate.see('127.0.0.1')
    gate.fence()
    gate.unfence()
    expect(proxy().state).toBe('egress_leak')
    gate.fence()
    gate.see('127.10.1.1')
    expect(proxy().state).toBe('draining')
  })
})
