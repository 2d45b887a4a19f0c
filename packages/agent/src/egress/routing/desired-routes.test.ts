import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { changes, desiredRoutes, type LinkFacts, ownRoute, ownRule, tableOf } from './desired-routes.ts'

const stick: LinkFacts = { name: 'wwan0', address: '192.168.8.100', prefixLength: 24, gateway: '192.168.8.1' }
const modem: LinkFacts = { name: 'wwan1', address: '10.64.0.2', prefixLength: 32, gateway: null }
const table = tableOf('wwan0')

const lines = (link: LinkFacts): string[] => desiredRoutes(link).map(({ kind, words }) => `${kind} ${words.join(' ')}`)

describe('the routes of a device', () => {
  test('send a stick’s traffic to the stick, and nowhere when it is gone', () => {
    const ours = `table ${table} protocol 77`
    expect(lines(stick)).toEqual([
      `route 192.168.8.0/24 dev wwan0 ${ours} src 192.168.8.100 scope link`,
      `route default via 192.168.8.1 dev wwan0 ${ours} src 192.168.8.100 onlink`,
      `route unreachable default ${ours} metric 4278198272`,
      `rule from 192.168.8.100 lookup ${table} priority 9000 protocol 77`,
    ])
  })

  test('need no gateway where the link has one other end', () => {
    expect(lines(modem)[0]).toBe(`route default dev wwan1 table ${tableOf('wwan1')} protocol 77 src 10.64.0.2 scope link`)
  })

  test.each([
    ['10.64.0.6', 30, '10.64.0.4/30'],
    ['100.127.255.254', 10, '100.64.0.0/10'],
    ['192.168.8.100', 31, '192.168.8.100/31'],
    ['203.0.113.9', 1, '128.0.0.0/1'],
    ['2001:db8:64:0:1:2:3:4', 64, '2001:db8:64::/64'],
    ['2001:db8::ff:fe00:1', 120, '2001:db8::ff:fe00:0/120'],
    ['::1', 127, '::/127'],
  ])('know the network of %s/%d', (address, prefixLength, network) => {
    expect(desiredRoutes({ ...stick, address, prefixLength })[0]?.words[0]).toBe(network)
  })

  test('have a metric and no scope with IPv6', () => {
    const six = { ...modem, address: '2001:db8:64::2', prefixLength: 64, gateway: 'fe80::1' }
    expect(lines(six).slice(0, 2)).toEqual([
      `route 2001:db8:64::/64 dev wwan1 table ${tableOf('wwan1')} protocol 77 src 2001:db8:64::2 metric 1024`,
      `route default via fe80::1 dev wwan1 table ${tableOf('wwan1')} protocol 77 src 2001:db8:64::2 metric 1024 onlink`,
    ])
  })

  test('are in a table of their own for each of a thousand interfaces of the usual names', () => {
    const names = ['wwan', 'usb', 'eth', 'ppp', 'enx0c5b8f27'].flatMap((name) => Array.from({ length: 200 }, (_, at) => `${name}${at}`))
    expect(new Set(names.map(tableOf)).size).toBe(names.length)
    for (const name of names) expect(Number(tableOf(name)) >>> 24).toBe(0x4d)
  })
})

describe('the changes', () => {
  test('are none when everything is there, in whatever order its words are', () => {
    const present = desiredRoutes(stick).map(({ kind, words }) => ({ kind, words: words.toReversed() }))
    expect(changes(present, desiredRoutes(stick))).toEqual([])
  })

  test('bring the new address’s rule before the old one’s goes, and its routes before both', () => {
    const todo = changes(desiredRoutes(stick), desiredRoutes({ ...stick, address: '192.168.8.101' }))
    expect(todo.map(({ verb, entry }) => `${verb} ${entry.kind} ${entry.words.slice(0, 2).join(' ')}`)).toEqual([
      'replace route 192.168.8.0/24 dev',
      'replace route default via',
      'add rule from 192.168.8.101',
      'delete rule from 192.168.8.100',
    ])
  })

  test('take everything back in the end, the rule first', () => {
    expect(changes(desiredRoutes(stick), []).map(({ verb, entry }) => `${verb} ${entry.kind}`)).toEqual([
      'delete rule',
      'delete route',
      'delete route',
      'delete route',
    ])
  })

  test('lead to what is wanted from whatever is there', () => {
    const link = fc.record({
      name: fc.constant('wwan0'),
      address: fc.constantFrom('10.64.0.2', '10.64.0.3', '192.168.8.100'),
      prefixLength: fc.constantFrom(24, 30, 32),
      gateway: fc.constantFrom('10.64.0.1', null),
    })
    fc.assert(
      fc.property(link, link, (before, after) => {
        const kept = new Map(desiredRoutes(before).map((entry) => [idOf(entry), entry]))
        for (const { verb, entry } of changes(desiredRoutes(before), desiredRoutes(after))) {
          if (verb === 'delete') expect(kept.delete(idOf(entry))).toBe(true)
          else kept.set(idOf(entry), entry)
        }
        expect(new Set([...kept.values()].map(({ words }) => words.toSorted().join(' ')))).toEqual(
          new Set(desiredRoutes(after).map(({ words }) => words.toSorted().join(' '))),
        )
      }),
    )
    /** As the kernel tells entries apart. */
    function idOf({ kind, words }: { kind: string; words: readonly string[] }): string {
      return kind === 'rule' ? words.join(' ') : `${words[0]} ${words.includes('metric')}`
    }
  })
})

describe('what is printed', () => {
  test('is foreign without our protocol or in another table', () => {
    expect(ownRule({ src: '10.64.0.2', table, priority: 9000 }, table)).toBeNull()
    expect(ownRule({ src: '10.64.0.2', table: tableOf('wwan1'), priority: 9000, protocol: '77' }, table)).toBeNull()
    expect(ownRoute({ dst: 'default', dev: 'wwan0', table: '1000' }, table)).toBeNull()
  })
})
