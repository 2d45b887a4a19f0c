import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ContractHub } from '../test/contract-hub.ts'
import { systemClock } from './clock.ts'
import { parseConfig } from './config.ts'
import { ensureEnrolled } from './enrolment.ts'
import { AgentError } from './errors.ts'
import { type OpenDevice, openDevice } from './open-device.ts'

let hub: ContractHub
let path: string
let device: OpenDevice

beforeEach(async () => {
  hub = new ContractHub()
  path = await mkdtemp(join(tmpdir(), 'mp-enrol-'))
  const config = parseConfig({ hub: await hub.start(), token: 'token-1', name: 'seoul-01', stateDir: path, driver: 'simulated' })
  device = await openDevice(config, { clock: systemClock, random: () => 0, log: pino({ level: 'silent' }) })
})
afterEach(async () => {
  await device.close()
  await hub.stop()
  await rm(path, { recursive: true, force: true })
})

const never = new AbortController().signal

test('a device is enrolled once and known afterwards, with a password of its own', async () => {
  const first = await ensureEnrolled(device, never)
  expect(await ensureEnrolled(device, never)).toEqual(first)
  expect(hub.enrolments).toEqual(['seoul-01'])
  expect(first.proxyPassword).toMatch(/^[\w-]{32}$/)
})

test('a hub that cannot be reached is tried again until the patience is over, with its reason', async () => {
  const patience = new AbortController()
  let asked = 0
  hub.interfere = () => {
    asked++
    if (asked === 2) patience.abort(new AgentError('hub_unreachable', 'long enough'))
    return 503
  }
  await expect(ensureEnrolled(device, patience.signal)).rejects.toMatchObject({ message: 'long enough' })
  expect(asked).toBe(2)
})

test('a token that the hub does not take is not tried again', async () => {
  hub.tokens.clear()
  await expect(ensureEnrolled(device, never)).rejects.toMatchObject({ code: 'enroll_refused' })
})
