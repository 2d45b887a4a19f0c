import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHub, type Hub } from '@mobilepool/hub'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HubClient } from '../packages/sdk/src/sources/hub/hub-client.ts'

// The SDK's own tests talk to a hub of their own making: what both get wrong in the same way is found here.

const adminKey = 'mp_sdk-hub-client-admin-key-0123456789'
const signal = AbortSignal.timeout(60_000)
let folder: string
let hub: Hub
let client: HubClient

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mp-hub-client-'))
  hub = await createHub({ port: 0, dataDir: folder, adminKey, logLevel: 'silent' })
  client = new HubClient({ url: new URL(hub.url), token: adminKey })
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
  const body = JSON.stringify({
    name: 'busan-03',
    proxy_url: 'http://127.0.0.1:9999',
    rotation_method: 'api_call',
    rotation_url: 'http://127.0.0.1:1/rotate',
  })
  const made = await fetch(`${hub.url}/api/v1/admin/devices`, { method: 'POST', headers, body })
  if (!made.ok) throw new Error(`${made.status} ${await made.text()}`)
})
afterAll(async () => {
  await client.close()
  await hub.close()
  await rm(folder, { recursive: true, force: true })
})

test('every question of the SDK is answered by a real hub as both understand it', async () => {
  const { devices, last_event_id: lastEventId } = await client.list(signal)
  expect(devices).toMatchObject([{ name: 'busan-03' }])
  const deviceId = devices[0]?.id ?? ''

  const events = (await client.openEvents(lastEventId, signal))[Symbol.asyncIterator]()
  const rotation = await client.rotate({ device: 'busan-03', trigger: 'forced' }, signal)
  expect(rotation).toMatchObject({ device_name: 'busan-03' })
  expect(await client.rotation(rotation.id, signal)).toMatchObject({ id: rotation.id, device_id: deviceId })
  let told = ''
  while (!told.includes(rotation.id)) told += (await events.next()).value ?? ''
  await events.return?.()

  const at = new Date().toISOString()
  const record = {
    device_id: deviceId,
    exit_ip: '127.10.3.1',
    target: 'shop.example',
    method: 'GET',
    status: 403,
    outcome: 'banned' as const,
    attempt: 1,
    bytes_out: 10,
    bytes_in: 20,
    duration_ms: 30,
    at,
  }
  await client.reportUsage({ id: '0190e7a2-0000-7000-8000-000000000001', records: [record] }, signal)
  const bans = [{ exit_ip: '127.10.3.1', site: 'shop.example', lasts_ms: 600_000 }]
  await client.reportBans({ reporter: deviceId, bans }, signal)
  expect((await client.bans(signal)).bans).toMatchObject([{ exit_ip: '127.10.3.1', site: 'shop.example' }])
  await expect(client.rotation('0190e7a2-0000-7000-8000-00000000ffff', signal)).rejects.toMatchObject({
    problem: { status: 404, code: 'not_found' },
  })
})
