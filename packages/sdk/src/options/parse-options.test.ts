import { describe, expect, test } from 'vitest'
import { MobilePoolError } from '../errors.ts'
import { parseOptions } from './parse-options.ts'
import { type MobilePoolOptions, poolDefaults } from './pool-options.ts'

const complaint = (options: unknown): string => {
  try {
    parseOptions(options as MobilePoolOptions)
  } catch (error) {
    if (error instanceof MobilePoolError && error.code === 'MP_OPTIONS') return error.message.replace("the pool's options are wrong: ", '')
    throw error
  }
  return 'none'
}

const devices = ['http://10.0.0.5:8080']

test.each([
  [{}, 'give either `hub` or `devices`'],
  [undefined, 'give either `hub` or `devices`'],
  [{ hub: 'http://hub', devices }, 'give either `hub` or `devices`'],
  [{ hub: 'ws://hub' }, 'hub.url: must be an http:// or https:// URL'],
  [{ hub: { url: 'hub:3001', token: 'x' } }, 'hub.url: must be an http:// or https:// URL'],
  [{ hub: { url: 'http://hub', token: '' } }, 'hub.token: is empty'],
  [{ hub: { url: 'http://hub', key: 'x' } }, 'hub.key: there is no such option'],
  [{ devices: 'http://10.0.0.5' }, 'devices: must be a list of proxy URLs or objects'],
  [{ devices: ['10.0.0.5:8080'] }, 'devices[0].url: must be a proxy URL like http://user:password@10.0.0.5:8080'],
  [{ devices: ['ftp://10.0.0.5:21'] }, 'devices[0].url: must be a proxy URL like http://user:password@10.0.0.5:8080'],
  [
    { devices: ['socks4://10.0.0.5:1080'] },
    'devices[0].url: must be a proxy URL: of SOCKS only version 5 is spoken, as socks5:// (not socks4://)',
  ],
  [
    { devices: ['socks://10.0.0.5:1080'] },
    'devices[0].url: must be a proxy URL: of SOCKS only version 5 is spoken, as socks5:// (not socks://)',
  ],
  [
    { devices: [`socks5://${'u'.repeat(256)}:p@10.0.0.5:1080`] },
    'devices[0].url: must be a proxy URL whose user and password have at most 255 bytes each: SOCKS5 carries no more',
  ],
  [{ devices: [{ url: 'nonsense' }] }, 'devices[0].url: must be a proxy URL like http://user:password@10.0.0.5:8080'],
  [{ devices: [{ url: 'http://a', weight: 0 }] }, 'devices[0].weight: must be above 0'],
  [{ devices: [{ url: 'http://a', rotate: 7 }] }, 'devices[0].rotate: must be a URL or a function'],
  [{ devices: ['http://a:1', { url: 'http://b:1', id: 'a:1' }] }, 'devices[1].id: "a:1" is used twice: give each device an id of its own'],
  [
    { devices, balancer: 'fastest' },
    'balancer: must be one of: least-connections, round-robin, random, weighted, ip-hash; or an object with a method pick, or a function that returns one',
  ],
  [{ devices, hashKey: 'account' }, 'hashKey: must be a function'],
  [{ devices, perDevice: { requestsPerMinute: 0 } }, 'perDevice.requestsPerMinute: must be at least one an hour (1/60)'],
  [{ devices: [{ url: 'http://a', concurrency: 0 }] }, 'devices[0].concurrency: must be at least 1'],
  [{ devices, eject: { maxShare: 2 } }, 'eject.maxShare: must be from 0 to 1'],
  [{ devices, perDevice: { concurrency: 0 } }, 'perDevice.concurrency: must be at least 1'],
  [{ devices, perDevice: { concurrency: 1.5 } }, 'perDevice.concurrency: must be a whole number from 1 to 10000'],
  [{ devices, perDevice: { concurency: 5 } }, 'perDevice.concurency: there is no such option'],
  [{ devices, retry: { attempts: 0 } }, 'retry.attempts: must be at least 1'],
  [{ devices, retry: { budget: 2 } }, 'retry.budget: must be from 0 to 1'],
  [{ devices, ban: { statuses: [42] } }, 'ban.statuses[0]: must be at least 100'],
  [{ devices, rotate: { everyMs: 10 } }, 'rotate.everyMs: must be at least 1000'],
  [{ devices, rotate: { unique: '24h' } }, 'rotate.unique: needs a `hub`: only it remembers which exit IPs were seen'],
  [
    { hub: { url: 'http://a' }, rotate: { unique: 'a day' } },
    'rotate.unique: must be a whole number of minutes, hours or days, like 30m, 24h or 7d',
  ],
  [{ devices, rotate: { onBan: { count: 0 } } }, 'rotate.onBan.count: must be at least 1'],
  [{ devices, filter: { operator: [] } }, 'filter.operator: is empty: leave it out to allow all'],
  [
    { devices, filter: { type: 'iphone' } },
    'filter.type[0]: Invalid option: expected one of "android"|"usb_modem"|"raspberry_pi"|"mini_pc"|"generic"',
  ],
  [{ devices, retry: true }, 'retry: must be false or an object'],
  [{ devices, timout: {} }, 'timout: there is no such option'],
  [{ devices, exitIpUrl: 'x' }, 'exitIpUrl: must be an http:// or https:// URL'],
])('%j is refused: %s', (options, message) => {
  expect(complaint(options)).toBe(message)
})

test('every wrong option is named at once, and credentials are in no message', () => {
  const message = complaint({
    devices: [{ url: 'http://user:s3cret@10.0.0.5:1', weight: -1 }],
    queue: { max: -1 },
    retry: { attempts: 99 },
  })
  expect(message.split('; ')).toHaveLength(3)
  expect(message).not.toContain('s3cret')
})

describe('what is not given', () => {
  test('is the default', () => {
    const settings = parseOptions({ devices })
    const { onBanCount: _count, ...rotate } = poolDefaults.rotate
    const { cache, redis, ...others } = poolDefaults
    expect(settings).toMatchObject({ ...others, cache: false, rotate })
    expect(parseOptions({ devices, cache: true }).cache).toEqual(cache)
    expect(settings.redis).toBeUndefined()
    expect(parseOptions({ devices, redis: 'redis://redis:6379' }).redis).toEqual({ client: 'redis://redis:6379', ...redis })
    expect(settings.rotate.onBan).toBeUndefined()
    expect(parseOptions({ devices, rotate: { onBan: {} } }).rotate.onBan).toEqual({ count: 3 })
  })

  test('of a device is its address as id, without credentials', () => {
    const [device] = parseOptions({ devices: ['http://user:pass@10.0.0.5:8080'] }).devices ?? []
    expect(device).toMatchObject({ weight: 1, tags: [], type: 'generic', tunnel: 'auto' })
  })
})

test('URLs may be objects, one filter value may stand alone, false switches off', () => {
  const settings = parseOptions({ hub: new URL('http://hub:3001'), filter: { operator: 'MTS' }, retry: false, ban: false, eject: false })
  expect(settings).toMatchObject({ filter: { operator: ['MTS'] }, retry: false, ban: false, eject: false })
  expect(settings.hub?.url.href).toBe('http://hub:3001/')
})
