import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findHubAddress, parseHubAddress } from './address.ts'

const pageUrl = new URL('http://10.0.0.5:3001/index.html')

describe('the hub’s address', () => {
  it.each([
    ['https://hub.example', 'https://hub.example/'],
    ['https://hub.example/', 'https://hub.example/'],
    ['  hub.example:3001 ', 'http://hub.example:3001/'],
    ['localhost:3001', 'http://localhost:3001/'],
    ['HTTPS://Hub.Example:443/mobile-pool', 'https://hub.example/mobile-pool/'],
    ['hub.example/?#', 'http://hub.example/'],
    ['http://[::1]:3001', 'http://[::1]:3001/'],
    ['пул.example', 'http://xn--k1ahm.example/'],
  ])('%s is %s', (text, base) => {
    expect(parseHubAddress(text, pageUrl)).toBe(base)
  })

  it.each([
    [''],
    ['ftp://hub.example'],
    ['javascript://hub.example/%0aalert(1)'],
    ['https://user@hub.example'],
    ['https://user:password@hub.example'],
    ['https://hub.example/?a=1'],
    ['https://hub.example/#x'],
    ['https://hub.example/$(reboot)'],
    ['https://$(reboot).example'],
    ['https://hub.example/`reboot`'],
    ['https://hub.example/%22;reboot'],
    ['https://hub.example:99999'],
    ['https://'],
  ])('%s is none', (text) => {
    expect(parseHubAddress(text, pageUrl)).toBeNull()
  })

  it('never holds what means something to a shell or to cron, whatever was given', () => {
    const nasty = fc.stringMatching(/^(https?:\/\/)?[a-z$`"'\\;&|%!(){}<>*[\]~#@:/ .-]{1,30}$/)
    fc.assert(
      fc.property(fc.oneof(nasty, fc.webUrl({ withFragments: true, withQueryParameters: true }), fc.string()), (text) => {
        const base = parseHubAddress(text, pageUrl)
        expect(base ?? 'http://x/').toMatch(/^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d+)?\/[\w.~/-]*$/)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('where the hub’s address comes from', () => {
  const answering = (body: string, type = 'application/json', status = 200): typeof fetch => {
    return async () => new Response(body, { status, headers: { 'content-type': type } })
  }
  const find = (page: string, fetch: typeof globalThis.fetch) => findHubAddress(new URL(page), fetch)

  it.each([
    ['no config.json', answering('not found', 'text/plain', 404)],
    ['a host that answers everything with its front page', answering('<!doctype html>', 'text/html; charset=utf-8')],
    ['an empty config.json', answering('{}')],
    ['a config.json that names no hub', answering('{"hub":""}')],
    ['a config.json with another thing in it', answering('[1]')],
    ['no network', () => Promise.reject(new TypeError('fetch failed'))],
  ])('with %s, it is the folder of the page itself', async (_, fetch) => {
    expect(await find('http://10.0.0.5:3001/', fetch)).toEqual({ ok: true, base: 'http://10.0.0.5:3001/' })
    expect(await find('http://10.0.0.5/farm/index.html?x=1#/?q=a', fetch)).toEqual({ ok: true, base: 'http://10.0.0.5/farm/' })
  })

  it('a page in a folder with an odd name falls back to the host', async () => {
    expect(await find('http://10.0.0.5/$(id)/', answering('{}'))).toEqual({ ok: true, base: 'http://10.0.0.5/' })
  })

  it('config.json beside the page names it', async () => {
    const asked: string[] = []
    const fetch: typeof globalThis.fetch = async (url) => {
      asked.push(String(url))
      return new Response('{"hub":"https://hub.example"}')
    }
    expect(await find('http://static.example/farm/?x=1', fetch)).toEqual({ ok: true, base: 'https://hub.example/' })
    expect(asked).toEqual(['http://static.example/farm/config.json'])
  })

  it('?hub= comes before config.json, which is then not even asked for', async () => {
    const fetch = (): Promise<Response> => Promise.reject(new Error('asked for config.json'))
    expect(await find('http://static.example/?hub=10.0.0.9:3001', fetch)).toEqual({ ok: true, base: 'http://10.0.0.9:3001/' })
    expect(await find('http://static.example/?hub=ftp://x', fetch)).toEqual({ ok: false, source: 'query', given: 'ftp://x' })
  })

  it.each([
    ['{"hub":17}', '17'],
    ['{"hub":["https://hub.example"]}', '["https://hub.example"]'],
    ['{"hub":"https://a:b@hub.example"}', 'https://***@hub.example'],
    ['{"hub":"a:b@hub.example/?x"}', '***@hub.example/?x'],
  ])('what config.json says and cannot be one is told, without a password: %s', async (config, given) => {
    expect(await find('http://static.example/', answering(config))).toEqual({ ok: false, source: 'config', given })
  })
})
