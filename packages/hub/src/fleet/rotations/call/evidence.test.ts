import { describe, expect, test } from 'vitest'
import type { SeenBefore } from '../../../store/index.ts'
import { type Exits, noExits, seeAddress } from '../../exit-ip.ts'
import { compareProbed, findChange, withoutChange } from './evidence.ts'

const CALLED_AT = 1_000_000
const [A, B] = ['198.51.100.1', '198.51.100.2']
const [V6, V6_SAME_SITE, V6_OTHER] = ['2001:db8:1:1::1', '2001:db8:1:1::2', '2001:db8:1:2::1']
const before = (over: Partial<SeenBefore> = {}): SeenBefore => ({ v4: null, v6: null, probed: null, ...over })
const heard = (ip: string, at = CALLED_AT + 1): Exits => seeAddress(noExits, ip, at).exits

describe('what was seen after a call', () => {
  test.each<[string, SeenBefore, { heard: Exits; probed: string | null }, 'changed' | 'same' | 'unknown', string | null]>([
    ['nothing', before({ v4: A, probed: A }), { heard: noExits, probed: null }, 'unknown', null],
    ['another address through the proxy', before({ probed: A }), { heard: noExits, probed: B }, 'changed', B],
    ['the same address through the proxy', before({ probed: A }), { heard: noExits, probed: A }, 'same', A],
    ['an address with nothing to compare it with', before(), { heard: noExits, probed: B }, 'unknown', null],
    ['the other family through the proxy', before({ probed: A }), { heard: noExits, probed: V6 }, 'unknown', null],
    ['another privacy address of the same /64', before({ probed: V6 }), { heard: noExits, probed: V6_SAME_SITE }, 'same', V6_SAME_SITE],
    ['a heartbeat from another address', before({ v4: A }), { heard: heard(B), probed: null }, 'changed', B],
    ['a heartbeat from the same address', before({ v4: A }), { heard: heard(A), probed: null }, 'same', A],
    ['a heartbeat that came before the call', before({ v4: A }), { heard: heard(B, CALLED_AT), probed: null }, 'unknown', null],
    ['a heartbeat from another /64', before({ v6: V6 }), { heard: heard(V6_OTHER), probed: null }, 'changed', V6_OTHER],
    ['a heartbeat of a family never seen before', before({ v4: A }), { heard: heard(V6), probed: null }, 'unknown', null],
    // A box may send its heartbeats by cable and its traffic by SIM: each path is compared with itself.
    ['a change on one path only', before({ v4: A, probed: A }), { heard: heard(A), probed: B }, 'changed', B],
    ['heartbeats by another path than the proxy’s', before({ v4: A, probed: B }), { heard: heard(A), probed: B }, 'same', B],
  ])('%s', (_case, was, now, outcome, ip) => {
    expect(findChange(was, now, CALLED_AT)).toEqual({ outcome, ip })
  })

  test('what cannot be compared is no verdict', () => {
    expect(compareProbed(before({ probed: A }), null)).toBeNull()
    expect(compareProbed(before(), A)).toBeNull()
    expect(compareProbed(before({ probed: A }), B)).toBe('changed')
  })
})

describe('when time is over without a change', () => {
  test('a device that is back at its old address is unchanged', () => {
    expect(withoutChange(A, true, 'odd')).toEqual({ state: 'unchanged', newIp: A, detail: 'odd' })
  })

  test.each([
    ['that could be measured did not come back', true, null, /did not come back/],
    ['that nothing tells of needs a way to be seen', false, null, /EXIT_IP_URL or PUBLIC_URL/],
    ['keeps what was odd about the answer', true, 'The link answered with a page.', /^The link answered with a page\. The device/],
  ])('a device %s', (_case, isMeasurable, remark, detail) => {
    expect(withoutChange(null, isMeasurable, remark)).toMatchObject({
      state: 'failed',
      reason: 'probe_failed',
      detail: expect.stringMatching(detail),
    })
  })
})
