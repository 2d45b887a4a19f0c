import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { builtSdk } from './matrix/built.ts'
import { Stage } from './stage.ts'

const stage = new Stage()
const root = fileURLToPath(new URL('../../..', import.meta.url))

test('examples/ban-rules.mjs tells bans by its rules, and by its own eyes', async () => {
  builtSdk()
  const [omsk, seoul] = [await stage.device('omsk-05'), await stage.device('seoul-01')]
  const site = await stage.site((from, response, request) => {
    response.setHeader('content-type', 'text/html')
    response.end(request.url === '/odd' ? 'nothing here' : from === omsk.egress ? 'Please solve the captcha' : '<p>price: 7</p>')
  })
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['examples/ban-rules.mjs', `${site.url}/1`, `${site.url}/2`, `${site.url}/odd`],
    {
      cwd: root,
      env: { ...process.env, MOBILEPOOL_DEVICES: `${omsk.url},${seoul.url}` },
    },
  )
  const lines = stdout.trim().split('\n')
  expect(lines.filter((line) => line.startsWith(`200 ${encodeURIComponent(seoul.authority)} <p>price: 7</p>`))).toHaveLength(2)
  expect(lines.at(-2)).toBe(`ban: ${seoul.authority} at 127.0.0.1 by report: a page without prices`)
  const bansByBody = lines.filter((line) => line === `ban: ${omsk.authority} at 127.0.0.1 by body: body /captcha/i`)
  expect(bansByBody).toHaveLength(site.exits.filter((exit) => exit === omsk.egress).length)
})
