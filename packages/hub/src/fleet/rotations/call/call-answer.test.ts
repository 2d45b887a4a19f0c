import { describe, expect, test } from 'vitest'
import type { OutboundAnswer, OutboundFailureKind } from '../../../outbound/outbound.ts'
import { readAnswer } from './call-answer.ts'

const NOW = Date.parse('2026-11-22T03:00:00.000Z')
const SECRET = 'correct-horse'
const answer = (status: number, text: string, headers: Record<string, string> = {}): OutboundAnswer => ({
  isAnswer: true,
  status,
  headers,
  text,
  isCut: false,
})
const read = (result: OutboundAnswer, successPattern: string | null = null) =>
  readAnswer(result, { successPattern, secrets: [SECRET], now: NOW })

describe('an answer of a rotation URL', () => {
  test.each([
    [200, ''],
    [200, 'OK'],
    [200, '{"ok":1}'],
    [200, '{"status":"OK","new_ip":"198.51.100.7"}'],
    [204, ''],
    [200, '{"success":true,"error":null}'],
    [200, '{"errors":[]}'],
  ])('%i %s is accepted, which proves nothing yet', (status, text) => {
    expect(read(answer(status, text))).toEqual({ kind: 'accepted', remark: null })
  })

  test.each([
    [429, '', { 'retry-after': '30' }, 'too_soon', 30_000],
    [429, '', { 'retry-after': 'Sun, 22 Nov 2026 03:01:00 GMT' }, 'too_soon', 60_000],
    [429, '{"retry_after":12}', {}, 'too_soon', 12_000],
    [200, 'Please wait 2 minutes', {}, 'too_soon', 120_000],
    [200, '{"error":"too often, 45 seconds left"}', {}, 'too_soon', 45_000],
    [200, '{"error":"подождите 90 сек"}', {}, 'too_soon', 90_000],
    [200, 'Слишком часто. Подождите 2 минуты', {}, 'too_soon', 120_000],
    [409, 'already rotating', {}, 'busy', null],
    [423, '', {}, 'busy', null],
    [503, '', { 'retry-after': '5' }, 'busy', 5_000],
    [200, '{"status":"err","message":"rotation in progress"}', {}, 'busy', null],
  ] as const)('%i %s %o means: not now', (status, text, headers, reason, waitMs) => {
    expect(read(answer(status, text, headers))).toMatchObject({ kind: 'wait', reason, waitMs })
  })

  test.each([
    [401, '', 'auth_failed'],
    [403, '', 'auth_failed'],
    [200, '{"ok":0,"error":"invalid token"}', 'auth_failed'],
    [404, '', 'unsupported'],
    [500, '', 'device_unreachable'],
    [503, '', 'device_unreachable'],
    [200, '{"status":"err","message":"modem not found"}', 'device_unreachable'],
    [200, 'ERROR: no modem', 'device_unreachable'],
  ])('%i %s is a refusal: %s', (status, text, reason) => {
    expect(read(answer(status, text))).toMatchObject({ kind: 'refused', reason })
  })

  test('is quoted without the secrets of the request, on one line', () => {
    const verdict = read(answer(500, `<b>no such key:\n ${SECRET}</b>`))
    expect(verdict).toMatchObject({ detail: 'The rotation URL answered 500: no such key: ***' })
  })

  test('that is a web page is doubted, not refused', () => {
    const page = answer(200, '<!doctype html><html>log in</html>', { 'content-type': 'text/html' })
    expect(read(page)).toMatchObject({ kind: 'accepted', remark: expect.stringContaining('web page') })
  })
})

describe('a pattern of the admin’s', () => {
  test.each([
    ['matches', 'done', 'all done', 'accepted'],
    ['does not match', 'done', '{"ok":1}', 'refused'],
    ['that would never end is cut off', '(a+)+$', `${'a'.repeat(40)}!`, 'refused'],
  ])('%s', (_case, pattern, text, kind) => {
    expect(read(answer(200, text), pattern).kind).toBe(kind)
  })
})

describe('no answer', () => {
  test('in time may still have done its work', () => {
    const none = readAnswer({ isAnswer: false, why: 'timed_out', detail: 'x' }, { successPattern: null, secrets: [], now: NOW })
    expect(none).toMatchObject({ kind: 'accepted', remark: expect.stringContaining('no answer') })
  })

  test.each<[OutboundFailureKind, string]>([
    ['bad_url', 'unsupported'],
    ['target_refused', 'permission_denied'],
    ['too_many_redirects', 'unsupported'],
    ['unreachable', 'device_unreachable'],
    ['canceled', 'canceled'],
  ])('because of %s ends the attempt: %s', (why, reason) => {
    const verdict = readAnswer({ isAnswer: false, why, detail: 'x' }, { successPattern: null, secrets: [], now: NOW })
    expect(verdict).toMatchObject({ kind: 'refused', reason })
  })
})
