import { describe, expect, test } from 'vitest'
import { noRotationConfig } from '../../../store/index.ts'
import { callRequest } from './call-request.ts'

const device = (over: Partial<typeof noRotationConfig>) => ({ id: 'd-1', name: 'sochi 01', ...noRotationConfig, ...over })

describe('the request of a rotation', () => {
  test('is none without a URL', () => expect(callRequest(device({}), 1_000)).toBeNull())

  test.each<[string, Partial<typeof noRotationConfig>, Record<string, unknown>]>([
    ['is a plain GET', { rotationUrl: 'http://box/x' }, { url: 'http://box/x', method: 'GET', timeoutMs: 1_000 }],
    [
      'has the placeholders of its URL encoded',
      { rotationUrl: 'http://box/{device}/{device_id}?k={token}', rotationToken: 'a/b&c' },
      { url: 'http://box/sochi%2001/d-1?k=a%2Fb%26c' },
    ],
    [
      'sends the token as a bearer where no template names it',
      { rotationUrl: 'http://box/x', rotationToken: 't0ken' },
      { headers: expect.objectContaining({ authorization: 'Bearer t0ken' }) },
    ],
    [
      'leaves a given authorization as it is',
      { rotationUrl: 'http://box/x', rotationToken: 't0ken', rotationHeaders: { Authorization: 'Basic abc' } },
      { headers: expect.objectContaining({ authorization: 'Basic abc' }) },
    ],
    [
      'escapes what it fills into a JSON body',
      { rotationUrl: 'http://box/x', rotationHttpMethod: 'POST', rotationToken: 'a"b', rotationBody: '{"k":"{token}"}' },
      { method: 'POST', body: '{"k":"a\\"b"}', headers: expect.objectContaining({ 'content-type': 'application/json' }) },
    ],
    [
      'sends any other body as a form',
      { rotationUrl: 'http://box/x', rotationHttpMethod: 'POST', rotationBody: 'modem={device}' },
      { body: 'modem=sochi 01', headers: expect.objectContaining({ 'content-type': 'application/x-www-form-urlencoded' }) },
    ],
  ])('%s', (_case, over, expected) => expect(callRequest(device(over), 1_000)).toMatchObject(expected))

  test('has no body as a GET, and no bearer where the URL has the token', () => {
    const request = callRequest(device({ rotationUrl: 'http://box/{token}', rotationToken: 't0ken', rotationBody: 'x' }), 1_000)
    expect(request).not.toHaveProperty('body')
    expect(request?.headers).not.toHaveProperty('authorization')
  })
})
