import type { DeviceFacts, HubDouble } from './hub-double.ts'

const secondsAgo = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString()

/** The fixed cast of devices, each in the state that its name stands for, and one name that nobody has adopted. */
export function putCast(hub: HubDouble): void {
  const cast: DeviceFacts[] = [
    {
      name: 'seoul-01',
      exit_ip: '112.161.54.7',
      ip_since: secondsAgo(8_040),
      last_heartbeat: secondsAgo(6),
      operator: 'SKT',
      region: 'Seoul',
      ip_changes: 41,
      rotations: { changed: 40, unchanged: 1, failed: 0 },
      last_rotation: { outcome: 'changed', trigger: 'interval', reason: null, ended_at: secondsAgo(8_040), duration_ms: 8_430 },
    },
    {
      name: 'moscow-07',
      device_type: 'usb_modem',
      status: 'offline',
      exit_ip: '95.25.14.203',
      ip_since: secondsAgo(90_000),
      last_heartbeat: secondsAgo(860),
      operator: 'MTS',
      region: 'Moscow',
      ip_changes: 12,
      rotations: { changed: 10, unchanged: 4, failed: 3 },
      last_rotation: { outcome: 'failed', trigger: 'ban', reason: 'stuck_offline', ended_at: secondsAgo(840), duration_ms: 120_000 },
    },
    {
      name: 'busan-03',
      status: 'rotating',
      exit_ip: '2001:e60:3050:7a1f:8c2d:41ff:fe0b:9d17',
      ip_since: secondsAgo(610),
      last_heartbeat: secondsAgo(14),
      operator: 'KT',
      region: 'Busan',
      ip_changes: 208,
      rotations: { changed: 206, unchanged: 2, failed: 0 },
      last_rotation: { outcome: 'changed', trigger: 'requests', reason: null, ended_at: secondsAgo(600), duration_ms: 11_700 },
    },
    {
      name: 'kazan-02',
      device_type: 'raspberry_pi',
      status: 'maintenance',
      exit_ip: '178.205.131.66',
      last_heartbeat: secondsAgo(31),
      operator: 'MegaFon',
      region: 'Kazan',
      ip_changes: 3,
      rotations: { changed: 3, unchanged: 0, failed: 0 },
      last_rotation: { outcome: 'unchanged', trigger: 'forced', reason: null, ended_at: secondsAgo(200_000), duration_ms: 34_000 },
    },
    {
      name: 'omsk-05',
      device_type: 'mini_pc',
      status: 'busy',
      exit_ip: '83.149.46.9',
      ip_since: secondsAgo(45),
      last_heartbeat: secondsAgo(2),
      operator: 'Beeline',
      region: 'Omsk',
      ip_changes: 77,
      rotations: { changed: 76, unchanged: 9, failed: 1 },
      last_rotation: { outcome: 'changed', trigger: 'ban', reason: null, ended_at: secondsAgo(45), duration_ms: 840 },
    },
    {
      name: 'test1',
      kind: 'bare',
      device_type: 'generic',
      status: 'pending',
      exit_ip: '10.20.30.40',
      last_heartbeat: secondsAgo(50),
      operator: null,
      region: null,
    },
  ]
  for (const facts of cast) hub.put(facts)
}

const operators = ['MTS', 'MegaFon', 'Beeline', 'Tele2', 'SKT', 'KT', 'LG U+', 'Vodafone']
const regions = ['Moscow', 'Kazan', 'Omsk', 'Seoul', 'Busan', 'Daegu', 'Novosibirsk', 'Rostov-on-Don']

/** A farm: `count` devices, most of them well, some with the longest names and labels that the contract allows. */
export function putFarm(hub: HubDouble, count: number): void {
  for (let n = 1; n <= count; n += 1) {
    const isLong = n % 40 === 7
    const status = n % 53 === 0 ? 'offline' : n % 17 === 0 ? 'rotating' : n % 29 === 0 ? 'maintenance' : n % 7 === 0 ? 'busy' : 'online'
    hub.put({
      name: isLong ? `farm-${n}-${'a-name-as-long-as-the-contract-allows-'.repeat(3)}`.slice(0, 100) : `farm-${String(n).padStart(3, '0')}`,
      status,
      device_type: (['android', 'usb_modem', 'raspberry_pi', 'mini_pc'] as const)[n % 4] ?? 'android',
      operator: isLong ? 'Ростелеком Мобильные Телесистемы Дальневосточный филиал' : (operators[n % 8] ?? 'MTS'),
      region: isLong ? '경상북도울진군금강송면왕피리통고산자연휴양림' : (regions[n % 7] ?? 'Moscow'),
      exit_ip: n % 11 === 0 ? `2001:e60:3050:7a1f:8c2d:41ff:fe0b:${n.toString(16)}` : `100.${64 + (n % 60)}.${n % 250}.${(n * 7) % 250}`,
      ip_since: secondsAgo(n * 97),
      last_heartbeat: secondsAgo(status === 'offline' ? 400 + n : n % 60),
      ip_changes: n * 3,
      rotations: { changed: n * 3, unchanged: n % 5, failed: n % 9 === 0 ? 2 : 0 },
      last_rotation: { outcome: 'changed', trigger: 'interval', reason: null, ended_at: secondsAgo(n * 97), duration_ms: 4_000 + n * 60 },
    })
  }
}
