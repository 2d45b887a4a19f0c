import type { Variable } from '../config-sources.ts'
import { list, number, seconds, text, yesNo } from './readers.ts'

/** Variables of `gatewayOptions`, in the order of the help. */
export const gatewayVariables: readonly Variable[] = [
  { option: 'proxyPort', env: ['PROXY_PORT'], flag: '--proxy-port', read: number, help: 'port of the gateway; 0: any, off: none (8080)' },
  { option: 'proxyHost', env: ['PROXY_HOST'], read: text, help: 'address of the gateway (API_HOST)' },
  {
    option: 'gatewayPublicUrl',
    env: ['GATEWAY_PUBLIC_URL'],
    read: text,
    help: 'what clients reach the gateway by, like http://proxy.example.com:8080 (where it listens)',
  },
  {
    option: 'gatewayAllow',
    env: ['GATEWAY_ALLOW'],
    read: list,
    help: 'networks that the gateway’s clients may come from, comma-separated (any)',
  },
  { option: 'gatewayPorts', env: ['GATEWAY_PORTS'], read: text, help: 'ports of targets, like 80,443,8000-8999 (every port)' },
  {
    option: 'gatewayAllowPrivate',
    env: ['GATEWAY_ALLOW_PRIVATE'],
    read: yesNo,
    help: 'let clients name private and loopback targets, for a laboratory: true or false (false)',
  },
  {
    option: 'gatewayRateLimit',
    env: ['GATEWAY_RATE_LIMIT'],
    read: number,
    help: 'requests and tunnels that one key may begin a minute (any number)',
  },
  { option: 'gatewayConcurrency', env: ['GATEWAY_CONCURRENCY'], read: number, help: 'requests and tunnels under way of one user (4096)' },
  {
    option: 'gatewayDeviceConcurrency',
    env: ['GATEWAY_DEVICE_CONCURRENCY'],
    read: number,
    help: 'requests and tunnels under way through a device without a limit of its own (500)',
  },
  {
    option: 'gatewayBalancer',
    env: ['GATEWAY_BALANCER'],
    read: text,
    help: 'least-connections, round-robin, random, weighted or ip-hash (least-connections)',
  },
  { option: 'gatewayQueueMs', env: ['GATEWAY_QUEUE_TIMEOUT'], read: seconds, help: 'seconds that a request waits for a free device (30)' },
  {
    option: 'gatewaySessionMs',
    env: ['GATEWAY_SESSION_TTL'],
    read: seconds,
    help: 'seconds that a session lasts without a request (1800)',
  },
  {
    option: 'gatewayDrainMs',
    env: ['GATEWAY_DRAIN'],
    read: seconds,
    help: 'seconds that requests under way may take when the hub stops (5)',
  },
]
