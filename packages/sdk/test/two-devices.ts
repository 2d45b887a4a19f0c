import type { MobilePoolOptions } from '@mobilepool/sdk'
import type { SeenRequest } from './servers/origin.ts'
import type { Stage } from './stage.ts'

/** The exit IP from which the origin saw the request. */
export const exitOf = async (response: Response | Promise<Response>): Promise<string> =>
  ((await (await response).json()) as SeenRequest).remoteAddress

/** busan-03, which gets another exit IP when it rotates, and seoul-01; round-robin begins with busan-03. */
export async function twoDevices(stage: Stage, options: MobilePoolOptions = {}) {
  const busan = await stage.device('busan-03')
  const seoul = await stage.device('seoul-01')
  let rotations = 0
  const rotate = async () => {
    busan.egress = `127.10.3.${2 + rotations++}`
    return busan.egress
  }
  const pool = stage.open({
    devices: [
      { id: 'busan-03', url: busan.url, rotate, tags: ['b'] },
      { id: 'seoul-01', url: seoul.url, tags: ['s'] },
    ],
    balancer: 'round-robin',
    ...options,
  })
  return { pool, busan, seoul, origin: await stage.origin({ tls: true }), rotations: () => rotations }
}
