import { describe, expect, it } from 'vitest'
import { fits, isChangeable, readSettings, type Setting, typedValue } from './settings.ts'

const setting = (more: Partial<Setting> = {}): Setting => ({
  name: 'HEARTBEAT_TIMEOUT',
  help: 'seconds of silence until an agent is offline (60)',
  value: 60,
  fallback: 60,
  source: 'default',
  takesEffect: 'restart',
  pending: undefined,
  ...more,
})

describe('settings of the hub', () => {
  it('are read with what is pending, also where that is "not set"', () => {
    const json = {
      name: 'PUBLIC_URL',
      help: 'where',
      value: 'https://a.example',
      default: null,
      source: 'database',
      takes_effect: 'restart',
    }
    expect(readSettings({ settings: [json, { ...json, pending: null }] })).toMatchObject([
      { name: 'PUBLIC_URL', value: 'https://a.example', fallback: null, pending: undefined },
      { pending: null },
    ])
  })

  it('that make no sense are left out, and what cannot be understood of one cannot be changed', () => {
    expect(readSettings('no')).toBeNull()
    const [odd, ...others] = readSettings({ settings: [7, {}, { name: 'NEW', takes_effect: 'soon', value: {} }] }) ?? []
    expect(others).toEqual([])
    expect(odd).toMatchObject({ name: 'NEW', value: null, takesEffect: 'fixed' })
  })

  it.each([
    [{}, true],
    [{ source: 'database' }, true],
    [{ source: 'environment' }, false],
    [{ source: 'flag' }, false],
    [{ source: 'program' }, false],
    [{ takesEffect: 'fixed' }, false],
    [{ takesEffect: 'at_once' }, true],
  ] as const)('with %j can be changed: %j', (more, can) => {
    expect(isChangeable(setting(more))).toBe(can)
  })

  it.each([
    [null, ''],
    [0.25, '0.25'],
    [false, 'false'],
    [['a', 'b'], 'a, b'],
    [[], ''],
  ])('%j is typed as "%s"', (value, text) => {
    expect(typedValue(value)).toBe(text)
  })

  it('are found by every word, wherever it stands', () => {
    expect(fits(setting(), '')).toBe(true)
    expect(fits(setting(), ' Silence heartbeat ')).toBe(true)
    expect(fits(setting(), '60')).toBe(true)
    expect(fits(setting(), 'silence rotation')).toBe(false)
  })
})
