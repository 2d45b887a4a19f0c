import { request } from 'undici'
import { expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { Stage } from './stage.ts'

const stage = new Stage()

test('perDevice.concurrentPerSite: no site has more connections through a device than that, and no site waits for another', async () => {
  const busy: { from: string; end: () => void }[] = []
  const slow = await stage.site((from, response) => void busy.push({ from, end: () => response.end() }))
  const other = await stage.origin()
  const devices = [await stage.device('seoul-01'), await stage.device('busan-03')]
  const pool = stage.pool(devices, { perDevice: { concurrentPerSite: 2 } })
  const asked = Array.from({ length: 6 }, async () => (await request(slow.url, { dispatcher: pool.dispatcher })).body.text())
  await eventually('four have come', () => busy.length === 4)
  expect(busy.filter(({ from }) => from === '127.10.1.1')).toHaveLength(2)
  expect(pool.stats().requests).toMatchObject({ inFlight: 4, queued: 2 })
  // Another site: other host, as the limit counts by host and not by port.
  expect((await request(other.url.replace('127.0.0.1', 'localhost'), { dispatcher: pool.dispatcher })).statusCode).toBe(200)
  expect(busy).toHaveLength(4)
  const [first] = busy
  first?.end()
  await eventually('the next one takes its place', () => busy.length === 5)
  expect(busy[4]?.from).toBe(first?.from)
  for (const { end } of busy) end()
  await eventually('the last one came', () => busy.length === 6)
  busy[5]?.end()
  expect(await Promise.all(asked)).toHaveLength(6)
})
