import { describe, expect, test } from 'vitest'
import { cleanHeaders, forwardHeaders, headerValue } from './request-headers.ts'

const shapes: [string, (pairs: [string, string][]) => unknown][] = [
  ['a flat array', (pairs) => pairs.flat()],
  ['an object', (pairs) => Object.fromEntries(pairs)],
  ['an iterable of pairs', (pairs) => new Map(pairs)],
]

describe.each(shapes)('headers as %s', (_name, shape) => {
  test('are found whatever the case of their name', () => {
    expect(headerValue(shape([['Content-Length', '5']]), 'content-length')).toBe('5')
    expect(headerValue(shape([['X', '5']]), 'content-length')).toBeUndefined()
  })

  test('are passed on as they are when there is nothing to change', () => {
    const headers = shape([['accept', '*/*']])
    expect(cleanHeaders(headers)).toBe(headers)
  })

  test('lose proxy-authorization, and a content-length that was written twice', () => {
    const headers = shape([
      ['Proxy-Authorization', 'Basic x'],
      ['Content-Length', '5, 5'],
      ['accept', '*/*'],
    ])
    expect(cleanHeaders(headers)).toEqual(['Content-Length', '5', 'accept', '*/*'])
  })

  test('in absolute form get the host of the target and the credentials of the device', () => {
    const pairs = (headers: unknown) => Object.fromEntries(Array.isArray(headers) ? chunked(headers) : Object.entries(headers as object))
    const given = shape([['accept', '*/*']])
    expect(pairs(forwardHeaders(given, 'example.com:8080', 'Basic x'))).toEqual({
      accept: '*/*',
      host: 'example.com:8080',
      'proxy-authorization': 'Basic x',
    })
    expect(headerValue(given, 'host')).toBeUndefined()
    expect(pairs(forwardHeaders(shape([['Host', 'mine']]), 'example.com', null))).toEqual({ Host: 'mine' })
    const callersOwn = shape([['Proxy-Authorization', 'Basic y']])
    expect(pairs(forwardHeaders(callersOwn, 'example.com', 'Basic x'))).toEqual({ host: 'example.com', 'proxy-authorization': 'Basic x' })
  })
})

test('no headers are no headers', () => {
  expect(cleanHeaders(undefined)).toBeUndefined()
  expect(cleanHeaders(null)).toBeNull()
  expect(headerValue(undefined, 'host')).toBeUndefined()
})

test('lengths that contradict each other are left for undici to refuse', () => {
  expect(cleanHeaders(['content-length', '5, 6'])).toEqual(['content-length', '5, 6'])
})

const chunked = (flat: unknown[]): [string, unknown][] =>
  Array.from({ length: flat.length / 2 }, (_, index) => [String(flat[2 * index]), flat[2 * index + 1]])
