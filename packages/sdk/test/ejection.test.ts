import { expect, onTestFinished, test } from 'vitest'
import { startBlackHole } from './servers/black-hole.ts'
import { collect, Stage } from './stage.ts'

const stage = new Stage()

test('a dead device costs no request, is taken out, and comes back by itself', async () => {
  const origin = await stage.origin()
  const moscow = await stage.device('moscow-07')
  const devices = [moscow, await stage.device('seoul-01'), await stage.device('busan-03')]
  await moscow.refuse()
  const pool = stage.pool(devices, { eject: { consecutive: 3, baseMs: 1_500 } })
  const [ejections, restored] = [collect(pool, 'eject'), new Promise((resolve) => pool.once('restore', resolve))]
  const get = async () => {
    const response = await pool.fetch(origin.url)
    await response.text()
    return response.status
  }
  for (let i = 0; i < 12; i++) expect(await get()).toBe(200)
  expect(ejections).toMatchObject([{ device: 'moscow-07', faults: 3 }])
  expect(pool.stats().requests.retried).toBe(3)
  expect(pool.stats().devices[0]?.state).toBe('ejected')
  await moscow.accept()
  const back = restored.then(() => true)
  while (!(await Promise.race([back, get().then(() => false)])));
  expect(pool.stats().devices[0]).toMatchObject({ state: 'ready', ejections: 1 })
})

test('a hung device is taken out by its first victim, which another device answers', async () => {
  const origin = await stage.origin({ tls: true })
  const [kazan, seoul] = [await stage.device('kazan-02'), await stage.device('seoul-01')]
  kazan.fault = { kind: 'hang_connect' }
  const pool = stage.pool([kazan, seoul], { timeouts: { connectMs: 300 }, hedge: false })
  const ejections = collect(pool, 'eject')
  for (let i = 0; i < 5; i++) expect((await pool.fetch(origin.url)).status).toBe(200)
  expect(ejections).toMatchObject([{ device: 'kazan-02' }])
  expect(kazan.counts.connects).toBe(1)
})

test('a device off the air, whose address takes no connection at all, is taken out by its first victim', async () => {
  const origin = await stage.origin()
  const hole = await startBlackHole()
  onTestFinished(() => hole.close())
  const seoul = await stage.device('seoul-01')
  const devices = [{ id: 'kazan-02', url: hole.url }, seoul]
  const pool = stage.pool(devices, { balancer: 'round-robin', timeouts: { connectMs: 300 }, hedge: false })
  const [retries, ejections] = [collect(pool, 'retry'), collect(pool, 'eject')]
  for (let i = 0; i < 5; i++) expect((await pool.fetch(origin.url)).status).toBe(200)
  expect(retries.map(({ attempt: { device, kind, errno } }) => [device, kind, errno])).toEqual([
    ['kazan-02', 'device_connect', 'ETIMEDOUT'],
  ])
  expect(ejections).toMatchObject([{ device: 'kazan-02' }])
})

test('a dead target is not the devices’ fault: none is taken out', async () => {
  const devices = [
    await stage.device('moscow-07'),
    await stage.device('seoul-01'),
    await stage.device('busan-03'),
    await stage.device('kazan-02'),
  ]
  const pool = stage.pool(devices)
  const ejections = collect(pool, 'eject')
  for (let i = 0; i < 8; i++) {
    await expect(pool.fetch('https://127.0.0.1:40009/')).rejects.toMatchObject({ code: 'MP_RETRIES_EXHAUSTED' })
    const response = await pool.fetch('http://127.0.0.1:40009/')
    expect(response.status).toBe(502)
    await response.text()
  }
  expect(ejections).toEqual([])
  expect(pool.stats().ready).toBe(4)
})

test('however bad it gets, half of the fleet stays', async () => {
  const origin = await stage.origin()
  const devices = [
    await stage.device('moscow-07'),
    await stage.device('seoul-01'),
    await stage.device('busan-03'),
    await stage.device('kazan-02'),
  ]
  for (const device of devices) await device.refuse()
  const pool = stage.pool(devices, { eject: { consecutive: 1 } })
  for (let i = 0; i < 10; i++) await pool.fetch(origin.url).catch(() => {})
  expect(pool.stats().ready).toBe(2)
  expect(collect(pool, 'eject')).toEqual([])
})

test('eject: false leaves every device in', async () => {
  const origin = await stage.origin()
  const [moscow, seoul] = [await stage.device('moscow-07'), await stage.device('seoul-01')]
  await moscow.refuse()
  const pool = stage.pool([moscow, seoul], { eject: false })
  for (let i = 0; i < 8; i++) expect((await pool.fetch(origin.url)).status).toBe(200)
  expect(pool.stats()).toMatchObject({ ready: 2, devices: [{ faults: 8 }, { faults: 0 }] })
})

test('a device that fails every other request, so that it never fails thrice in a row, is out of line with the fleet and taken out', async () => {
  const origin = await stage.origin()
  let asked = 0
  const plan = () => (asked++ % 2 === 0 ? { kind: 'drop' as const } : null)
  const omsk = await stage.device('omsk-05', { plan: (moment) => (moment === 'exchange' ? plan() : null) })
  const others = [
    await stage.device('seoul-01'),
    await stage.device('busan-03'),
    await stage.device('moscow-07'),
    await stage.device('kazan-02'),
  ]
  const pool = stage.pool([omsk, ...others], {
    eject: { consecutive: 3, successRate: { minRequests: 10, intervalMs: 1_000 } },
    retry: { budget: 1 },
  })
  const ejected = new Promise((resolve) => pool.once('eject', resolve))
  const isOut = ejected.then(() => true)
  const get = async (): Promise<false> => {
    const response = await pool.fetch(origin.url)
    await response.text()
    expect(response.status).toBe(200)
    return false
  }
  while (!(await Promise.race([isOut, get()])));
  expect(await ejected).toMatchObject({ device: 'omsk-05', reason: 'success_rate' })
  expect(pool.stats()).toMatchObject({ ready: 4, devices: [{ state: 'ejected' }, {}, {}, {}, {}] })
  const before = asked
  for (let i = 0; i < 10; i++) await get()
  expect(asked).toBe(before)
})
