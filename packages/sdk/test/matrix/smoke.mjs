// Run by matrix.test.ts on every Node, with and without an npm undici: what a user's plain JavaScript does with the built package.
// Arguments: path of the package, path of an npm undici or "none", JSON of what it talks to. Ends by itself: nothing may be left open.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { json, text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'

const [, , sdkPath, undiciPath, given] = process.argv
const { plain, secure, devices, deadDevice, ca } = JSON.parse(given)
const places = [Symbol.for('undici.globalDispatcher.1'), Symbol.for('undici.globalDispatcher.2')]

// Importing the package must not touch the process's own dispatchers, set or not.
const before = places.map((place) => globalThis[place])
const { MobilePool, MobilePoolError } = await import(pathToFileURL(`${sdkPath}/dist/index.js`).href)
assert.deepEqual(
  places.map((place) => globalThis[place]),
  before,
  'import changed a global dispatcher',
)
assert.deepEqual(
  places.map((place) => Object.hasOwn(globalThis, place)),
  [false, false],
  'import claimed a global dispatcher',
)
const required = createRequire(import.meta.url)(`${sdkPath}/dist/index.cjs`)
assert.equal(typeof required.MobilePool, 'function')
assert.deepEqual(
  places.map((place) => Object.hasOwn(globalThis, place)),
  [false, false],
  'require claimed a global dispatcher',
)

// Not above: on Node 26 these themselves set the global dispatchers.
const { default: http } = await import('node:http')
const { default: https } = await import('node:https')
const { default: Ws } = await import('ws')

const options = { balancer: 'round-robin', requestTls: { ca } }
const pool = new MobilePool({ ...options, devices })
const exits = new Set(['127.10.1.1', '127.10.7.1'])
const passed = []
const check = async (name, run) => {
  try {
    await run()
  } catch (error) {
    error.message = `${name}: ${error.message}`
    throw error
  }
  passed.push(name)
}

const seen = async (response) => {
  assert.equal(response.status ?? response.statusCode, 200)
  const body = await (response.body?.json ? response.body.json() : response.json())
  assert.ok(exits.has(body.remoteAddress), `came from ${body.remoteAddress}`)
  return body
}

const parts = () =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('in '))
      controller.enqueue(new TextEncoder().encode('parts'))
      controller.close()
    },
  })

/** Everything that a fetch must do over a dispatcher, with this fetch. */
async function fetchChecks(name, doFetch, extra, { FormData } = globalThis) {
  for (const origin of [plain, secure]) {
    const scheme = origin.split(':')[0]
    const ask = (path = '/', init = {}) => doFetch(origin + path, { ...extra, ...init })
    await check(`${name} ${scheme} GET`, async () => {
      const response = await ask()
      assert.ok(response.headers.get('x-mobilepool-device'))
      await seen(response)
    })
    await check(`${name} ${scheme} bodies`, async () => {
      const long = 'b'.repeat(300_000)
      assert.equal((await seen(await ask('/', { method: 'POST', body: 'text' }))).body, 'text')
      assert.equal((await seen(await ask('/', { method: 'POST', body: long }))).body, long)
      assert.equal((await seen(await ask('/', { method: 'POST', body: parts(), duplex: 'half' }))).body, 'in parts')
      assert.equal((await seen(await ask('/', { method: 'POST', body: 'five!', headers: { 'content-length': '5' } }))).body, 'five!')
      const form = new FormData()
      form.set('field', 'value')
      assert.match((await seen(await ask('/', { method: 'POST', body: form }))).body, /name="field"\r\n\r\nvalue/)
    })
    await check(`${name} ${scheme} responses`, async () => {
      assert.equal((await (await ask('/bytes/300000')).arrayBuffer()).byteLength, 300_000)
      assert.equal(await (await ask('/gzip')).text(), 'hello gzip')
      const cookies = await ask('/cookies')
      assert.deepEqual(cookies.headers.getSetCookie(), ['a=1', 'b=2'])
      await cookies.text()
      assert.equal((await seen(await ask('/redirect'))).url, '/')
    })
    await check(`${name} ${scheme} abort`, async () => {
      await assert.rejects(ask('/hang', { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' })
    })
  }
}

await fetchChecks('built-in fetch', fetch, { dispatcher: pool })
await check('pool.fetch', async () => seen(await pool.fetch(secure)))

await check('a dead device costs nothing', async () => {
  const partly = new MobilePool({ ...options, devices: [deadDevice, devices[0]] })
  const response = await fetch(secure, { dispatcher: partly, method: 'POST', body: 'kept' })
  assert.equal(response.headers.get('x-mobilepool-attempts'), '2')
  assert.equal((await seen(response)).body, 'kept')
  await partly.close()
})

await check('errors', async () => {
  const none = new MobilePool({ devices: [] })
  await assert.rejects(
    fetch(plain, { dispatcher: none }),
    (error) => error.cause instanceof MobilePoolError && error.cause.code === 'MP_NO_DEVICE',
  )
  await assert.rejects(none.fetch(plain), { code: 'MP_NO_DEVICE' })
  assert.throws(() => new MobilePool({ devices: ['nonsense'] }), { code: 'MP_OPTIONS', message: /devices\[0\]\.url/ })
  await none.close()
})

const webSocketCheck = (name, WebSocket, origin, dispatcher) =>
  check(`${name} ${origin.split(':')[0]}`, async () => {
    const socket = new WebSocket(origin.replace('http', 'ws'), { dispatcher })
    const said = await new Promise((resolve, reject) => {
      socket.onopen = () => socket.send('hi')
      socket.onmessage = ({ data }) => resolve(data)
      socket.onerror = ({ error, message }) => reject(error ?? new Error(message))
    })
    assert.equal(said, 'hi')
    socket.close()
    await new Promise((resolve) => {
      socket.onclose = resolve
    })
  })

// Node 20 has no WebSocket of its own.
if (globalThis.WebSocket) for (const origin of [plain, secure]) await webSocketCheck('WebSocket', WebSocket, origin, pool)

await check('cache', async () => {
  const caching = new MobilePool({ ...options, devices, cache: { cacheByDefaultMs: 60_000 } })
  for (const ask of [() => fetch(`${secure}/`, { dispatcher: caching }), () => caching.fetch(`${secure}/`)]) {
    await seen(await ask())
    const again = await ask()
    assert.equal(again.headers.get('x-mobilepool-attempts'), '0')
    await seen(again)
  }
  assert.equal(caching.stats().requests.started, 1)
  await seen(await caching.session('account-1').fetch(`${secure}/`))
  assert.equal(caching.stats().requests.started, 2)
  await caching.close()
})

await check('views', async () => {
  const session = pool.session('account-42', { onIpChange: 'fail' })
  const first = await seen(await fetch(plain, { dispatcher: session }))
  const second = await seen(await session.fetch(secure))
  const third = await pool.run({ session: 'account-42' }, async () => seen(await fetch(plain, { dispatcher: pool })))
  assert.deepEqual([second.remoteAddress, third.remoteAddress], [first.remoteAddress, first.remoteAddress])
  const chosen = pool.with({ exclude: session.device.device, hedge: false })
  assert.notEqual((await seen(await chosen.fetch(secure))).remoteAddress, first.remoteAddress)
  session.end()
})

/** A request of node:http(s) through the agents of a pool, a session or a lease. */
async function askByAgent({ httpAgent, httpsAgent }, url, init = {}, body) {
  const [agent, { request }] = url.startsWith('https') ? [httpsAgent, https] : [httpAgent, http]
  const asked = request(url, { agent, ...init })
  asked.end(body)
  const [response] = await once(asked, 'response')
  assert.equal(response.statusCode, 200)
  const said = await json(response)
  assert.ok(exits.has(said.remoteAddress), `came from ${said.remoteAddress}`)
  return said
}

for (const [name, origin] of [
  ['httpAgent', plain],
  ['httpsAgent', secure],
]) {
  await check(name, async () => {
    const addresses = new Set()
    for (let i = 0; i < 4; i++) addresses.add((await askByAgent(pool, `${origin}/?n=${i}`)).remoteAddress)
    assert.deepEqual(addresses, exits)
    const long = 'b'.repeat(300_000)
    assert.equal((await askByAgent(pool, origin, { method: 'POST' }, long)).body, long)
    const { get } = origin === secure ? https : http
    const hanging = get(`${origin}/hang`, { agent: pool[name], signal: AbortSignal.timeout(100) })
    await assert.rejects(once(hanging, 'response'), { name: /^(Abort|Timeout)Error$/ })
    const partly = new MobilePool({ ...options, devices: [deadDevice, devices[0]] })
    assert.equal((await askByAgent(partly, origin, { method: 'PUT' }, 'kept')).body, 'kept')
    await partly.close()
  })
  await check(`${name} ws`, async () => {
    const socket = new Ws(origin.replace('http', 'ws'), { agent: pool[name] })
    await once(socket, 'open')
    socket.send('hi')
    const [said] = await once(socket, 'message')
    assert.equal(String(said), 'hi')
    socket.close()
    await once(socket, 'close')
  })
}

/** What goes through a proxy URL, as absolute form and as a tunnel. */
async function exitsBy(proxyUrl) {
  const { port, username, password } = new URL(proxyUrl)
  const headers = { 'proxy-authorization': `Basic ${btoa(`${username}:${password}`)}` }
  const [forwarded] = await once(http.get({ port, host: '127.0.0.1', path: `${plain}/`, headers, agent: false }), 'response')
  const { remoteAddress } = await json(forwarded)
  const connect = http.request({ port, host: '127.0.0.1', method: 'CONNECT', path: new URL(plain).host, headers, agent: false })
  connect.end()
  const [{ statusCode }, socket] = await once(connect, 'connect')
  assert.equal(statusCode, 200)
  socket.write(`GET / HTTP/1.1\r\nHost: ${new URL(plain).host}\r\nConnection: close\r\n\r\n`)
  const [, through] = /"remoteAddress":"([^"]+)"/.exec(await text(socket)) ?? []
  return [remoteAddress, through]
}

await check('listen', async () => {
  const local = await pool.listen()
  for (const exit of await exitsBy(local.url)) assert.ok(exits.has(exit))
  await local.close()
})

await check('leases', async () => {
  const lease = await pool.lease({ site: plain })
  const addresses = new Set(await exitsBy(lease.proxyUrl))
  addresses.add((await seen(await lease.fetch(secure))).remoteAddress)
  addresses.add((await seen(await fetch(plain, { dispatcher: lease.dispatcher }))).remoteAddress)
  addresses.add((await askByAgent(lease, secure)).remoteAddress)
  assert.equal(addresses.size, 1)
  await lease.release()
  assert.equal(lease.signal.reason.code, 'MP_LEASE_RELEASED')
})

await check('map', async () => {
  const paths = await pool.map([plain, secure, plain], async (url, { fetch: fetchItem }) => (await seen(await fetchItem(`${url}/a`))).url)
  assert.deepEqual(paths, ['/a', '/a', '/a'])
})

await check('installGlobal', async () => {
  const installed = pool.installGlobal()
  await seen(await fetch(plain))
  installed[Symbol.dispose]()
  assert.equal((await (await fetch(plain)).json()).remoteAddress, '127.0.0.1')
})

if (undiciPath !== 'none') {
  const undici = await import(pathToFileURL(`${undiciPath}/index.js`).href)
  await fetchChecks('npm fetch', undici.fetch, { dispatcher: pool.dispatcher }, undici)
  await check('request', async () => {
    for (const origin of [plain, secure]) {
      const reply = await undici.request(`${origin}/`, { dispatcher: pool.dispatcher, method: 'PUT', body: 'put' })
      assert.equal((await seen(reply)).body, 'put')
      await assert.rejects(undici.request(`${origin}/hang`, { dispatcher: pool.dispatcher, signal: AbortSignal.timeout(100) }), {
        name: 'TimeoutError',
      })
    }
  })
  await check('stream', async () => {
    const { PassThrough } = await import('node:stream')
    const sink = new PassThrough()
    const text = sink.toArray()
    await undici.stream(`${secure}/bytes/10`, { dispatcher: pool.dispatcher, method: 'GET' }, () => sink)
    assert.equal(Buffer.concat(await text).toString(), 'xxxxxxxxxx')
  })
  await check('pipeline', async () => {
    const { PassThrough } = await import('node:stream')
    const line = undici.pipeline(`${secure}/`, { dispatcher: pool.dispatcher, method: 'POST' }, ({ statusCode, body }) => {
      assert.equal(statusCode, 200)
      return body.pipe(new PassThrough())
    })
    line.end('through the pipe')
    const answer = JSON.parse(Buffer.concat(await line.toArray()).toString())
    assert.ok(exits.has(answer.remoteAddress))
    assert.equal(answer.body, 'through the pipe')
  })
  if (undici.WebSocket) {
    for (const origin of [plain, secure]) await webSocketCheck('npm WebSocket', undici.WebSocket, origin, pool.dispatcher)
  }
  await check('upgrade', async () => {
    const { socket } = await undici.upgrade(`${plain}/`, {
      dispatcher: pool.dispatcher,
      protocol: 'websocket',
      headers: { 'sec-websocket-key': 'x' },
    })
    socket.destroy()
  })
  const { interceptors } = undici
  const through = (interceptor) => pool.dispatcher.compose(interceptor)
  await check('compose redirect', async () => {
    const dispatcher = through(interceptors.redirect({ maxRedirections: 2 }))
    assert.equal((await seen(await undici.request(`${secure}/redirect`, { dispatcher }))).url, '/')
  })
  await check('compose retry', async () => {
    const dispatcher = through(interceptors.retry({ statusCodes: [501], maxRetries: 2, minTimeout: 1, maxTimeout: 1 }))
    const { started } = pool.stats().requests
    await assert.rejects(undici.request(`${plain}/status/501`, { dispatcher }), { statusCode: 501 })
    assert.equal(pool.stats().requests.started - started, 3)
  })
  await check('compose dns', async () => {
    const asked = []
    const lookup = ({ hostname }, _options, answer) => {
      asked.push(hostname)
      answer(null, [{ address: '127.0.0.1', family: 4, ttl: 60_000 }])
    }
    const dispatcher = through(interceptors.dns({ lookup, affinity: 4, dualStack: false }))
    const named = { plain: plain.replace('127.0.0.1', 'shop.example.test'), secure: secure.replace('127.0.0.1', 'localhost') }
    // Twice: the second time it remembers the name.
    for (const url of [named.plain, named.secure, named.plain, named.secure]) {
      const { host } = await seen(await undici.request(url, { dispatcher }))
      // undici 6 leaves the port out of the Host header that it makes.
      assert.equal(host.split(':')[0], new URL(url).hostname)
    }
    assert.deepEqual(asked, ['shop.example.test', 'localhost'])
  })
  if (interceptors.cache !== undefined) {
    await check('compose cache', async () => {
      const dispatcher = through(interceptors.cache())
      const { started } = pool.stats().requests
      for (let i = 0; i < 3; i++) await seen(await undici.request(`${secure}/fresh/60`, { dispatcher }))
      assert.equal(pool.stats().requests.started - started, 1)
    })
  }
  await check('setGlobalDispatcher', async () => {
    const original = undici.getGlobalDispatcher()
    undici.setGlobalDispatcher(pool.dispatcher)
    await seen(await undici.fetch(plain))
    await seen(await undici.request(plain))
    // Of undici 6 the built-in fetch of Node 26 takes none: it looks elsewhere than where that one puts it.
    const { version } = createRequire(import.meta.url)(`${undiciPath}/package.json`)
    const takesIt = !(version.startsWith('6.') && process.versions.node.startsWith('26.'))
    assert.equal(exits.has((await (await fetch(plain)).json()).remoteAddress), takesIt)
    undici.setGlobalDispatcher(original)
  })
}

await pool.close()
console.log(JSON.stringify({ passed, stats: pool.stats().requests }))
