import { join } from 'node:path'
import { expect, test } from 'vitest'
import { builtSdk } from './matrix/built.ts'
import { runNode } from './matrix/run-node.ts'
import { startFakeHub } from './servers/fake-hub.ts'
import { Stage } from './stage.ts'

const stage = new Stage()

const run = (code: string) =>
  runNode(process.execPath, ['--input-type=module', '--eval', `const sdk = ${JSON.stringify(join(builtSdk(), 'dist/index.js'))};${code}`])

test('importing the package leaves the global dispatchers of the process untouched, set or not', async () => {
  const code = (before: string) => `
    const places = [Symbol.for('undici.globalDispatcher.1'), Symbol.for('undici.globalDispatcher.2')]
    ${before}
    const owned = places.map((place) => globalThis[place])
    const { MobilePool } = await import(sdk)
    const pool = new MobilePool({ devices: [] })
    if (places.some((place, index) => globalThis[place] !== owned[index])) throw new Error('touched')
    await pool.close()
    console.log(places.map((place) => Object.hasOwn(globalThis, place)).join())`
  expect(await run(code(''))).toMatchObject({ status: 0, stdout: 'false,false\n' })
  const own = 'for (const place of places) globalThis[place] = { dispatch() {} }'
  expect(await run(code(own))).toMatchObject({ status: 0, stdout: 'true,true\n' })
})

test('a script that forgets to close its pool ends all the same, also one with a hub', async () => {
  const origin = await stage.origin({ tls: false })
  const seoul = await stage.device('seoul-01')
  const hub = await startFakeHub()
  hub.put('seoul-01', { proxy_url: seoul.url, exit_ip: seoul.egress })
  try {
    for (const options of [{ devices: [seoul.url] }, { hub: { url: hub.url, token: hub.token }, rotate: { everyMs: 60_000 } }]) {
      const outcome = await run(`
        const { MobilePool } = await import(sdk)
        const pool = new MobilePool(${JSON.stringify(options)})
        console.log((await (await fetch(${JSON.stringify(origin.url)}, { dispatcher: pool })).json()).remoteAddress)`)
      expect(outcome).toMatchObject({ status: 0, stdout: `${seoul.egress}\n` })
    }
  } finally {
    await hub.close()
  }
})
