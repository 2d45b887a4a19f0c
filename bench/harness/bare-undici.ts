/// <reference path="../../packages/sdk/src/dispatch/undici-deep.d.ts" />
import type { ConnectionOptions } from 'node:tls'
import buildConnector from 'undici/lib/core/connect.js'
import Agent from 'undici/lib/dispatcher/agent.js'
import Pool from 'undici/lib/dispatcher/pool.js'
import { connectForward, type DeviceLink } from '../../packages/sdk/src/dispatch/connect-device.ts'
import { parseEndpoint } from '../../packages/sdk/src/dispatch/endpoint.ts'
import { openTunnel } from '../../packages/sdk/src/dispatch/open-tunnel.ts'
import { MemoryStream } from './memory-device.ts'

const link = (proxyUrl: string): DeviceLink => ({
  deviceId: 'bare',
  deviceName: 'bare',
  endpoint: parseEndpoint(proxyUrl),
  proxyTls: {},
  connectTimeoutMs: 10_000,
})

/** What the pool gives its own agents. */
const shared = { pipelining: 1, keepAliveTimeout: 30_000, keepAliveMaxTimeout: 60_000, allowH2: false }

/** undici's own Agent over one proxy, with the pool's CONNECT connector and nothing else of the pool. */
export function bareTunnels(proxyUrl: string, requestTls: ConnectionOptions): Agent {
  const connectTls = buildConnector({ ...requestTls, allowH2: false, timeout: 0 })
  return new Agent({
    ...shared,
    connect: ({ hostname, host, protocol, port, servername }, callback) => {
      const isSecure = protocol === 'https:'
      openTunnel(
        link(proxyUrl),
        {
          hostname,
          port: Number(port) || (isSecure ? 443 : 80),
          upgrade: isSecure
            ? (httpSocket, done) => void connectTls({ hostname, host, protocol, port, servername, httpSocket }, done)
            : null,
        },
        callback,
      )
    },
  })
}

/** undici's own Pool to one proxy, for requests in absolute form, with the pool's connector and nothing else of the pool. */
export const bareForwards = (proxyUrl: string): Pool =>
  new Pool(proxyUrl, { ...shared, connect: (_options, callback) => void connectForward(link(proxyUrl), callback) })

/** undici's own Agent over connections in memory. */
export const bareInMemory = (): Agent =>
  new Agent({ ...shared, connect: (_options, callback) => queueMicrotask(() => callback(null, new MemoryStream())) })
