import { afterEach, expect, test } from 'vitest'
import { FleetEvents } from '../fleet/events.ts'
import type { Fleet } from '../fleet/fleet.ts'
import { EventFeed, type Listener } from './event-feed.ts'

const events = new FleetEvents()
let feed: EventFeed
afterEach(() => feed.close())

/** How many events have been written out. */
let written = 0
let at = 0
function change(times = 1): void {
  for (let n = 0; n < times; n++) {
    const newIp = `10.0.${(++at >> 8) & 255}.${at & 255}`
    events.announce({
      type: 'ip_changed',
      id: 'id-busan-03',
      name: 'busan-03',
      oldIp: null,
      get newIp() {
        written++
        return newIp
      },
      at: 0,
    })
  }
}

function open(): EventFeed {
  written = at = 0
  feed = new EventFeed({} as Fleet, events, Date.now)
  return feed
}

/** What somebody hears who comes with an id: the addresses, or the events' names. */
function hear(lastEventId: string): { ips: string[]; text: string; listener: Listener } {
  const heard = { ips: [] as string[], text: '' }
  const listener: Listener = {
    view: 'public',
    callerId: null,
    userId: null,
    write: (text) => {
      heard.text += text
      heard.ips.push(...[...text.matchAll(/"new_ip":"([^"]+)"/g)].map(([, ip = '']) => ip))
    },
    end: () => {},
  }
  feed.add(listener, lastEventId)
  return Object.assign(heard, { listener })
}

const ips = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, n) => `10.0.${((from + n) >> 8) & 255}.${(from + n) & 255}`)

test('events for nobody are not written out, and whoever comes then misses nothing', () => {
  open()
  change(5_000)
  expect(written).toBeLessThanOrEqual(1_000)
  const id = feed.lastEventId
  change(1_000)
  expect(hear(id).ips).toEqual(ips(5_001, 6_000))
})

test('a thousand events after the last number that anybody was told, it says reset', () => {
  open()
  change(3)
  const id = feed.lastEventId
  change(1_001)
  expect(hear(id).text).toContain('event: reset')
})

test('a listener that leaves finds all that came since, up to a thousand events', () => {
  open()
  change(2_500)
  const first = hear(feed.lastEventId)
  change(700)
  feed.remove(first.listener)
  const id = /id: (\S+)\n(?![\s\S]*id: )/.exec(first.text)?.[1] ?? ''
  change(1_000)
  expect(hear(id).ips).toEqual(ips(3_201, 4_200))
})

test('a number that nobody was told is one that it does not know', () => {
  open()
  const boot = feed.lastEventId.split('-')[0]
  change(4_000)
  expect(hear(`${boot}-3999`).text).toContain('event: reset')
})
