import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { HastyClock } from '../../../test/hasty-clock.ts'
import { memoryState } from '../../../test/memory-state.ts'
import { createDriver } from '../create-driver.ts'
import type { DeviceDriver, Rung } from '../driver.ts'

const signal = new AbortController().signal
const call: Rung = { method: 'api_call', holdMs: 20_000 }
const TOKEN = 'a1b2c3d4e5f6a7b8'
const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

interface Seen {
  method: string | undefined
  url: string | undefined
  headers: IncomingMessage['headers']
  body: string
}

/** A provider that answers as told; what it was asked is kept. */
const provider = async (answer: RequestListener): Promise<{ origin: string; seen: Seen[] }> => {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    seen.push({ method: request.method, url: request.url, headers: request.headers, body })
    answer(request, response)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

const open = async (url: string, options: Record<string, unknown> = {}): Promise<{ driver: DeviceDriver; clock: HastyClock }> => {
  const clock = new HastyClock()
  const all = { url, sourceAddress: '127.10.6.1', ...options }
  return { driver: await createDriver('http-link', all, { clock, stateDir: memoryState(), name: 'seoul-01' }), clock }
}

const rotate = async (driver: DeviceDriver): Promise<void> => {
  await driver.down(call, signal)
  await driver.up(signal)
  await driver.waitOnline(signal)
}

describe('the http-link driver', () => {
  test('calls the link, and nothing but the link', async () => {
    const { origin, seen } = await provider((_, response) => void response.end('{"ok":1}'))
    const { driver } = await open(`${origin}/changeip/7/${TOKEN}?format=json`)
    await rotate(driver)
    expect(seen).toMatchObject([{ method: 'GET', url: `/changeip/7/${TOKEN}?format=json`, body: '' }])
    expect(await driver.ladder(signal)).toEqual([call])
    expect(await driver.status(signal)).toEqual({ sim: 'unknown', isDown: false, telemetry: {} })
  })

  test('posts with headers, credentials and body', async () => {
    const { origin, seen } = await provider((_, response) => void response.end('{"success":true}'))
    const options = { method: 'POST', headers: { 'X-Key': 'k' }, body: '{"action":"changeip"}' }
    const { driver } = await open(origin.replace('//', '//user:p%40ss@'), options)
    await rotate(driver)
    expect(seen).toMatchObject([
      { method: 'POST', body: '{"action":"changeip"}', headers: { 'x-key': 'k', authorization: `Basic ${btoa('user:p@ss')}` } },
    ])
  })

  test('follows a redirect, and keeps what is secret from another origin', async () => {
    const other = await provider((_, response) => void response.end('OK'))
    const { origin } = await provider((_, response) => void response.writeHead(302, { location: `${other.origin}/done` }).end())
    const { driver } = await open(`${origin}/${TOKEN}`, { headers: { authorization: 'Bearer x' } })
    await rotate(driver)
    expect(other.seen).toMatchObject([{ url: '/done' }])
    expect(other.seen[0]?.headers.authorization).toBeUndefined()
  })

  test('does not follow redirects without end', async () => {
    const { origin, seen } = await provider((_, response) => void response.writeHead(302, { location: '/again' }).end())
    await expect(rotate((await open(origin)).driver)).rejects.toMatchObject({ code: 'unsupported' })
    expect(seen).toHaveLength(4)
  })

  test.each([
    [200, '{"ok":0,"key":"TOKEN"}', 'device_unreachable'],
    [200, '{"status":"err","message":"no modem TOKEN9"}', 'device_unreachable'],
    [200, 'ERROR: no modem TOKEN', 'device_unreachable'],
    [200, 'please wait 30 seconds', 'too_soon'],
    [401, '', 'auth_failed'],
    [403, 'bad token TOKEN', 'auth_failed'],
    [404, '', 'unsupported'],
    [409, '{"error":"running"}', 'busy'],
    [429, '', 'too_soon'],
    [500, 'oops', 'device_unreachable'],
  ])('takes the answer %i %s for %s, and names no secret', async (status, text, code) => {
    const { origin } = await provider((_, response) => void response.writeHead(status).end(text.replace('TOKEN', TOKEN)))
    const { driver } = await open(`${origin}/${TOKEN}?key=${TOKEN}9`)
    const error = await rotate(driver).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code })
    expect(String(error)).toContain(`answered ${status}`)
    expect(String(error)).not.toContain(TOKEN)
  })

  test.each([
    ['"status" ?: ?"ok"', true],
    ['accepted', false],
    ['(o+)+!', false],
  ])('believes an answer that matches the pattern %s: %s', async (successPattern, isGood) => {
    const { origin } = await provider((_, response) => void response.end(`{"status":"ok","said":"${'o'.repeat(60)}"}`))
    const { driver } = await open(origin, { successPattern })
    if (isGood) await rotate(driver)
    else await expect(rotate(driver)).rejects.toMatchObject({ code: 'device_unreachable' })
  })

  test('waits as long as the provider asks before it calls again', async () => {
    let calls = 0
    const { origin } = await provider((_, response) => {
      calls += 1
      if (calls === 1) response.writeHead(429, { 'retry-after': '25' })
      response.end()
    })
    const { driver, clock } = await open(origin)
    await expect(rotate(driver)).rejects.toMatchObject({ code: 'too_soon' })
    await rotate(driver)
    expect(clock.slept).toEqual([25_000])
  })

  test('does not call while the provider asks to wait for long', async () => {
    const { origin, seen } = await provider((_, response) => void response.end('Too many rotations: 5 min'))
    const { driver } = await open(origin)
    await expect(rotate(driver)).rejects.toMatchObject({ code: 'too_soon' })
    await expect(rotate(driver)).rejects.toMatchObject({ code: 'too_soon', message: expect.stringContaining('again in 300 s') })
    expect(seen).toHaveLength(1)
  })

  test('leaves a minute between two calls', async () => {
    const { origin } = await provider((_, response) => void response.end('{"ok":1}'))
    const { driver, clock } = await open(origin)
    await rotate(driver)
    await rotate(driver)
    expect(clock.slept).toEqual([60_000])
  })

  test('lets the exit IP tell when no answer comes in time', async () => {
    const { origin } = await provider(() => {})
    await rotate((await open(origin, { timeoutMs: 150 })).driver)
  })

  test('says that the provider cannot be reached, and names no secret', async () => {
    const { origin } = await provider(() => {})
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
    const error = await rotate((await open(`${origin}/${TOKEN}`)).driver).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'device_unreachable', message: `${origin} cannot be reached (ECONNREFUSED).` })
  })

  test.each([
    [{ url: 'changeip' }, 'driverOptions.url (--driver-options): must be an http or https URL'],
    [{ successPattern: '(' }, 'driverOptions.successPattern (--driver-options): must be a regular expression'],
    [{ body: 'x' }, 'driverOptions.body (--driver-options): needs method POST'],
    [{ sourceAddress: undefined }, 'one of interface and sourceAddress is needed'],
  ])('refuses the options %j', async (options, message) => {
    await expect(open('http://127.0.0.1:1', options)).rejects.toMatchObject({
      code: 'bad_config',
      message: expect.stringContaining(message),
    })
  })
})
