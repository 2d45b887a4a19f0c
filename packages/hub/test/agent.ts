import type { Answer } from './client.ts'
import type { TestHub } from './hub.ts'

/** An agent that does just what a test says, each time from the address that the test says. */
export interface ScriptedAgent {
  readonly name: string
  readonly key: string
  beat(from: string, over?: Record<string, unknown>): Promise<Answer>
  /** Asks for an order. */
  order(wait: number, from?: string): Promise<Answer>
  report(id: string, from: string, body: Record<string, unknown>): Promise<Answer>
}

/** Enrols a device and speaks for it. */
export async function scriptedAgent(hub: TestHub, name: string): Promise<ScriptedAgent> {
  const key = await hub.enrol(name)
  return { name, key, ...speakFor(() => hub, key) }
}

/** Speaks with a device's key, at whichever hub is running now. */
export const speakFor = (hub: () => TestHub, key: string): Omit<ScriptedAgent, 'name' | 'key'> => ({
  beat: (from, over = {}) =>
    hub().ask('/api/v1/agents/heartbeat', {
      method: 'POST',
      key,
      from,
      body: { agent_version: '1.0.0', proxy_url: 'http://127.0.0.1:8080', methods: ['airplane_mode', 'data_toggle'], ...over },
    }),
  order: (wait, from = '127.0.0.1') => hub().ask(`/api/v1/agents/commands?wait=${wait}`, { key, from }),
  report: (id, from, body) =>
    hub().ask(`/api/v1/agents/commands/${id}`, {
      method: 'POST',
      key,
      from,
      body: { method: 'airplane_mode', old_ip: null, new_ip: null, reason: null, detail: null, ...body },
    }),
})
