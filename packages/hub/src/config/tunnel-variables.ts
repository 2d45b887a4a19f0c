import type { Variable } from '../config-sources.ts'
import { number, seconds } from './readers.ts'

export const tunnelVariables: readonly Variable[] = [
  {
    option: 'tunnelPingMs',
    env: ['TUNNEL_PING'],
    read: seconds,
    help: 'seconds between two pings of a tunnel in use, and until one without an answer is given up (5)',
  },
  { option: 'tunnelMaxStreams', env: ['TUNNEL_MAX_STREAMS'], read: number, help: 'connections through one device at a time (2000)' },
]
