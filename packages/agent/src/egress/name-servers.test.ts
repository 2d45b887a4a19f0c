import { expect, test } from 'vitest'
import { nameServersOf } from './name-servers.ts'

const address6 = () => null
const stick = { link: { name: 'wwan0', gateway: '192.168.8.1', address6 } }

test.each([
  ['the configured ones and no others', ['9.9.9.9'], { ...stick, nameServers: () => ['10.1.1.1'] }, ['9.9.9.9']],
  ['the carrier’s before public ones', [], { ...stick, nameServers: () => ['10.1.1.1'] }, ['10.1.1.1', '1.1.1.1', '8.8.8.8']],
  ['each once', [], { ...stick, nameServers: () => ['8.8.8.8'] }, ['8.8.8.8', '1.1.1.1']],
  ['public ones where the carrier’s are not known, never the system’s', [], stick, ['1.1.1.1', '8.8.8.8']],
  ['the system’s where the device is no interface', [], {}, []],
  ['the system’s where only a source address is given', [], { link: { name: null, gateway: null, address6 } }, []],
])('asks %s', (_which, configured, driver, servers) => {
  expect(nameServersOf(configured, driver)).toEqual(servers)
})
