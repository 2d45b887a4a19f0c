import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, type Ask, send } from '../../packages/hub/test/client.ts'
import { usageRecord } from '../../packages/hub/test/records.ts'
import type { Rows } from './hub-database.ts'
import { ADMIN_KEY } from './hub-process.ts'

const DEVICES = 20
const AGENTS = 3
const USAGE_RECORDS = 5
const RETRY_MS = 10

type Query = (sql: string, parameters?: readonly unknown[]) => Promise<Rows>

interface Agent {
  readonly name: string
  readonly key: string
}

/** What hubs have acknowledged to one set of devices and a parser, over all their lives; `missing` compares it with the database. */
export class KillLoad {
  /** By name: when the last heartbeat was sent that was answered. */
  readonly #lastSeen = new Map<string, number>()
  /** By name: how many answers said that the IP had changed. */
  readonly #changes = new Map<string, number>()
  /** Names with the addresses they came from, as `name address`. */
  readonly #addresses = new Set<string>()
  readonly #rotations = new Set<string>()
  readonly #ended = new Set<string>()
  readonly #batches = new Set<string>()
  /** Where each device stands in its round of addresses. */
  readonly #turn = new Map<string, number>()
  readonly #agents: Agent[] = []
  #deviceId = ''
  #heartbeats = 0
  #url = ''

  /** How much has been acknowledged so far. */
  get acknowledged(): { heartbeats: number; ipChanges: number; rotations: number; ends: number; batches: number } {
    return {
      heartbeats: this.#heartbeats,
      ipChanges: [...this.#changes.values()].reduce((sum, count) => sum + count, 0),
      rotations: this.#rotations.size,
      ends: this.#ended.size,
      batches: this.#batches.size,
    }
  }

  /** Makes the devices that rotate, once. */
  async enrol(url: string): Promise<void> {
    this.#url = url
    for (let n = 0; n < AGENTS; n++) {
      const name = `agent-${n}`
      const { json: made } = await this.#ask('/api/v1/agents/tokens', { method: 'POST' })
      const body = { token: made.token, name, device_type: 'android', agent_version: '1.0.0' }
      const { json } = await this.#ask('/api/v1/agents/enroll', { method: 'POST', body })
      this.#agents.push({ name, key: json.device_key })
      await this.#ask('/api/v1/agents/heartbeat', {
        method: 'POST',
        key: json.device_key,
        body: { agent_version: '1', proxy_url: 'http://127.0.0.1:1', methods: ['reconnect'] },
      })
    }
    this.#deviceId = (await this.#ask('/api/v1/admin/devices/agent-0')).json.id
  }

  /** Loads a hub until `until` is aborted; failures are the killed hub's. */
  async run(url: string, until: AbortSignal): Promise<void> {
    this.#url = url
    const devices = Array.from({ length: DEVICES }, (_, n) => this.#repeat(until, () => this.#beat(n)))
    const rotating = this.#agents.map((agent) => this.#repeat(until, () => this.#rotate(agent)))
    await Promise.all([...devices, ...rotating, this.#repeat(until, () => this.#report())])
  }

  /** What was acknowledged and is not in the database, one line each. */
  async missing(query: Query): Promise<string[]> {
    const missing: string[] = []
    const beats = await query(
      `select d.name, extract(epoch from h.updated_at) * 1000 as seen, h.ip_changes
       from proxy_heartbeat h join proxy_devices d on d.id = h.device_id`,
    )
    const byName = new Map(beats.map((row) => [String(row.name), row]))
    for (const [name, at] of this.#lastSeen) {
      const row = byName.get(name)
      if (!row) missing.push(`${name} is not there at all`)
      else if (Math.round(Number(row.seen)) < at) missing.push(`${name}: the heartbeat of ${at}; the last one is of ${row.seen}`)
      if (Number(row?.ip_changes ?? 0) < (this.#changes.get(name) ?? 0))
        missing.push(`${name}: ${this.#changes.get(name)} IP changes were said, ${row?.ip_changes} are there`)
    }
    const stored = (sql: string): Promise<Set<string>> => query(sql).then((rows) => new Set(rows.map((row) => String(row.it))))
    const lost = (what: string, wanted: Iterable<string>, found: Set<string>): void => {
      for (const it of wanted) if (!found.has(it)) missing.push(`${what} ${it}`)
    }
    const stints = `select distinct d.name || ' ' || host(i.ip_address) as it from ip_history i join proxy_devices d on d.id = i.device_id`
    lost('the stretch at', this.#addresses, await stored(stints))
    lost('rotation', this.#rotations, await stored('select id::text as it from rotations'))
    lost('the end of rotation', this.#ended, await stored('select id::text as it from rotations where ended_at is not null'))
    lost('usage batch', this.#batches, await stored('select id::text as it from usage_batches'))
    const [logs] = await query('select count(*) as count from request_logs')
    if (Number(logs?.count) < this.#batches.size * USAGE_RECORDS)
      missing.push(`${this.#batches.size} batches have ${logs?.count} requests in the log`)
    return missing
  }

  async #repeat(until: AbortSignal, work: () => Promise<void>): Promise<void> {
    while (!until.aborted) {
      try {
        await work()
      } catch (error) {
        // The hub was killed in the middle of it: nothing was acknowledged. A refusal would be a mistake of this load.
        if (error instanceof Refused && !error.mayBeRepeated) throw error
        await delay(RETRY_MS)
      }
    }
  }

  /** A device beats three times from one address, then goes on to the next. */
  async #beat(n: number): Promise<void> {
    const name = `phone-${n}`
    const turn = (this.#turn.get(name) ?? 0) + 1
    this.#turn.set(name, turn)
    const from = `127.20.${n + 1}.${1 + (Math.floor(turn / 3) % 250)}`
    const askedAt = Date.now()
    const { json } = await this.#ask(`/proxy_server?name=${name}`, { from })
    this.#heartbeats++
    this.#lastSeen.set(name, askedAt)
    if (json.ip_changed) this.#changes.set(name, (this.#changes.get(name) ?? 0) + 1)
    this.#addresses.add(`${name} ${from}`)
  }

  /** A rotation from the order to its end, or the end of one that a kill has interrupted. */
  async #rotate({ name, key }: Agent): Promise<void> {
    const isOpen = (await this.#ask('/api/v1/agents/commands?wait=0', { key })).json.commands as { id: string }[]
    let id = isOpen[0]?.id
    if (id === undefined) {
      id = (await this.#ask(`/api/v1/admin/devices/${name}/rotate`, { method: 'POST' })).json.rotation.id as string
      this.#rotations.add(id)
    }
    const turn = (this.#turn.get(name) ?? 0) + 1
    this.#turn.set(name, turn)
    const from = `127.30.${turn % 250}.${1 + this.#agents.findIndex((agent) => agent.name === name)}`
    const body = { state: 'changed', method: 'reconnect', old_ip: null, new_ip: from, reason: null, detail: null }
    const { json } = await this.#ask(`/api/v1/agents/commands/${id}`, { method: 'POST', key, from, body })
    // Otherwise the hub verifies first, and has not said yet that it is over.
    if (json.rotation.ended_at !== null) this.#ended.add(id)
    this.#addresses.add(`${name} ${from}`)
  }

  async #report(): Promise<void> {
    const id = randomUUID()
    const record = usageRecord(this.#deviceId)
    const records = Array.from({ length: USAGE_RECORDS }, () => record)
    await this.#ask('/api/v1/usage', { method: 'POST', body: { id, records } })
    this.#batches.add(id)
  }

  async #ask(path: string, ask: Ask = {}): Promise<Answer> {
    const answer = await send(this.#url + path, { key: ADMIN_KEY, ...ask })
    if (answer.status >= 400) throw new Refused(path, answer)
    return answer
  }
}

class Refused extends Error {
  /** A rotation that the last hub left is not under way yet, or not over. */
  readonly mayBeRepeated: boolean

  constructor(path: string, { status, text, json }: Answer) {
    super(`${path}: ${status} ${text}`)
    this.mayBeRepeated = json?.code === 'rotation_running'
  }
}
