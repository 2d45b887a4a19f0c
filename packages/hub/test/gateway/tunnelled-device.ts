import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { expect, vi } from 'vitest'
import { createAgent } from '../../../agent/src/index.ts'
import type { TestHub } from '../hub.ts'

/** A device that nobody can dial: its agent has dialled the hub. */
export interface TunnelledDevice {
  readonly id: string
  readonly name: string
  /** Where its next start finds its key. */
  readonly stateDir: string
  /** Resolves when its tunnel stands and its first heartbeat is known. */
  start(): Promise<void>
  /** Ends the agent; its tunnel is gone when this resolves. */
  stop(): Promise<void>
  /** Ends it and removes what it kept. */
  remove(): Promise<void>
}

/** Starts an agent with a simulated modem whose exit IPs begin with this one; `knobs`: its others. */
export async function startTunnelledDevice(
  hub: () => TestHub,
  name: string,
  firstAddress: string,
  knobs: Record<string, unknown> = {},
  advertise = 'none',
): Promise<TunnelledDevice> {
  const stateDir = await mkdtemp(join(tmpdir(), 'mobilepool-tunnelled-'))
  const { token } = (await hub().ask('/api/v1/agents/tokens', { method: 'POST', key: 'admin', body: { name } })).json
  const create = () =>
    createAgent(
      {
        hub: hub().url,
        token,
        name,
        stateDir: join(stateDir, 'agent'),
        driver: 'simulated',
        driverOptions: { firstAddress, ...knobs },
        advertise,
        heartbeatMs: 1_000,
      },
      { log: pino({ level: 'silent' }) },
    )
  let agent = create()
  const start = async (): Promise<string> => {
    const { deviceId } = await agent.start()
    await vi.waitFor(
      async () => {
        const { json } = await hub().ask(`/api/v1/admin/devices/${name}`, { key: 'admin' })
        expect(json).toMatchObject({
          status: 'online',
          proxy_url: advertise === 'none' ? null : expect.any(String),
          tunnel: { connected: true },
        })
      },
      { timeout: 30_000, interval: 20 },
    )
    return deviceId
  }
  const id = await start()
  return {
    id,
    name,
    stateDir,
    async start() {
      agent = create()
      await start()
    },
    async stop() {
      await agent.stop()
      await vi.waitFor(() => expect(hub().tunnels.has(id)).toBe(false), { timeout: 10_000 })
    },
    async remove() {
      await agent.stop()
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}
