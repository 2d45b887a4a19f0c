import { expect, it } from 'vitest'
import { crontabLine, isThisMachineOnly } from './crontab-line.ts'

it('the crontab line is the one of the specification, with this hub’s address', () => {
  expect(crontabLine('http://10.0.0.5:3001/')).toBe(
    '* * * * * curl -fsS -m 10 "http://10.0.0.5:3001/proxy_server?name=$(hostname)" > /dev/null',
  )
})

it.each([
  ['http://127.0.0.1:3001/', true],
  ['http://127.8.9.10/', true],
  ['http://localhost:3001/', true],
  ['https://hub.localhost/', true],
  ['http://[::1]:3001/', true],
  ['http://10.0.0.5:3001/', false],
  ['https://hub.example/', false],
  ['https://localhost.example/', false],
  ['https://127.0.0.1.example/', false],
])('%s is reached from this machine only: %s', (base, isOnly) => {
  expect(isThisMachineOnly(base)).toBe(isOnly)
})
