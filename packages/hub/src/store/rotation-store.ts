import type {
  AttemptCause,
  RotationFailure,
  RotationMethod,
  RotationOutcome,
  RotationState,
  RotationTrigger,
} from '@mobilepool/sdk/contract'
import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import { attemptRow, fromRow, progress, rotationRow, toAttempt } from './rotation-rows.ts'
import type { Tables } from './tables.ts'

/** One rotation, running or ended; times in ms. */
export interface RotationRecord {
  id: string
  deviceId: string
  deviceName: string
  trigger: RotationTrigger
  /** What was asked for; null: the device's own choice. */
  requestedMethod: RotationMethod | null
  method: RotationMethod | null
  state: RotationState
  oldIp: string | null
  /** Also set while it runs on, where the first change was not the last. */
  newIp: string | null
  reason: RotationFailure | null
  detail: string | null
  comment: string | null
  /** Attempts begun. */
  attempt: number
  maxAttempts: number
  /** Its turn does not come before. */
  notBefore: number | null
  /** `24h`: it goes on while the new exit IP was seen within this time. */
  uniqueWithin: string | null
  /** Shared by the rotations of one "rotate all". */
  batchId: string | null
  createdAt: number
  /** When it first left `queued`. */
  startedAt: number | null
  /** Of the present attempt. */
  deadlineAt: number | null
  endedAt: number | null
}

/** Addresses seen of a device before a change of its IP: what it is judged by, also after a restart of the hub. */
export interface SeenBefore {
  /** Where its heartbeats came from, one address of each family. */
  v4: string | null
  v6: string | null
  /** Measured through its proxy. */
  probed: string | null
}

/** One attempt of a rotation; times in ms. */
export interface AttemptRecord {
  /** By this an agent knows its order; of the first attempt it is the rotation's id. */
  id: string
  rotationId: string
  number: number
  cause: AttemptCause
  method: RotationMethod | null
  /** Null while it runs. */
  outcome: RotationOutcome | null
  oldIp: string | null
  newIp: string | null
  reason: RotationFailure | null
  detail: string | null
  before: SeenBefore
  startedAt: number
  /** When the hub set out to call the device's rotation URL; null: it has not. */
  calledAt: number | null
  endedAt: number | null
}

/** Which rotations to list. */
interface RotationFilter {
  deviceId?: string | undefined
  batchId?: string | undefined
  state?: RotationState | undefined
  trigger?: RotationTrigger | undefined
  /** Only those that were asked for at or after this time, ms. */
  from?: number | undefined
  /** And before this one. */
  to?: number | undefined
  /** Only those older than this one. */
  after?: string | undefined
  limit: number
}

/** Reads and writes rotations. Every method throws HubError `database_down`. */
export interface RotationStore {
  /** Writes new rotations and returns the ids of those that were taken: a device has one running one at most. */
  create(rotations: readonly RotationRecord[]): Promise<Set<string>>
  /**
   * Writes a running rotation's progress with its attempt's, or its end together with the device's counts.
   * An ended one stays as it is.
   */
  save(rotation: RotationRecord, attempt?: AttemptRecord | null): Promise<void>
  /** Those that have not ended, the oldest first, each with its latest attempt: the one that runs, or the one after which it waits. */
  running(): Promise<{ rotation: RotationRecord; attempt: AttemptRecord | null }[]>
  byId(id: string): Promise<RotationRecord | null>
  /** The rotation of an attempt. */
  byAttempt(attemptId: string): Promise<RotationRecord | null>
  /** In their order. */
  attempts(rotationId: string): Promise<AttemptRecord[]>
  /** Newest first. */
  newest(filter: RotationFilter): Promise<RotationRecord[]>
  /** How many rotations of a batch are in which state. */
  counts(batchId: string): Promise<Partial<Record<RotationState, number>>>
  /**
   * When an exit (an IPv4 address, the /64 of an IPv6 one) was last seen of any device, in stretches that began before `before`;
   * null when not since `since`.
   */
  lastSeen(ip: string, since: number, before: number): Promise<number | null>
}

/** Rows in one statement: each has some twenty values, and Postgres takes 65,535. */
const ROWS_AT_ONCE = 500

export function rotationStore(db: Kysely<Tables>): RotationStore {
  const rows = () =>
    db.selectFrom('rotations as r').innerJoin('proxy_devices as d', 'd.id', 'r.device_id').selectAll('r').select('d.name as device_name')

  return {
    async create(rotations) {
      const created = new Set<string>()
      for (let first = 0; first < rotations.length; first += ROWS_AT_ONCE) {
        const values = rotations.slice(first, first + ROWS_AT_ONCE).map(rotationRow)
        const written = await query(
          db
            .insertInto('rotations')
            .values(values)
            .onConflict((conflict) => conflict.doNothing())
            .returning('id')
            .execute(),
        )
        for (const { id } of written) created.add(id)
      }
      return created
    },

    async save(rotation, attempt = null) {
      await query(
        db.transaction().execute(async (transaction) => {
          const written = await transaction
            .updateTable('rotations')
            .set(progress(rotation))
            .where('id', '=', rotation.id)
            .where('ended_at', 'is', null)
            .returning('id')
            .execute()
          if (written.length === 0) return
          if (attempt) {
            const { id, rotation_id, number, ...row } = attemptRow(attempt)
            await transaction
              .insertInto('rotation_attempts')
              .values({ id, rotation_id, number, ...row })
              .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
              .execute()
          }
          if (rotation.endedAt === null) return
          const counter = `${rotation.state}_count` as 'changed_count' | 'unchanged_count' | 'failed_count'
          await transaction
            .updateTable('rotation_config')
            .set((expression) => ({ [counter]: expression(counter, '+', 1) }))
            .$if(rotation.state === 'changed', (update) => update.set({ last_successful_rotation: new Date(rotation.endedAt ?? 0) }))
            .where('device_id', '=', rotation.deviceId)
            .execute()
        }),
      )
    },

    async running() {
      const [found, attempts] = await Promise.all([
        query(rows().where('r.ended_at', 'is', null).orderBy('r.created_at').execute()),
        query(
          db
            .selectFrom('rotation_attempts as a')
            .innerJoin('rotations as r', (join) => join.onRef('r.id', '=', 'a.rotation_id').onRef('r.attempt', '=', 'a.number'))
            .selectAll('a')
            .where('r.ended_at', 'is', null)
            .execute(),
        ),
      ])
      const latest = new Map(attempts.map((row) => [row.rotation_id, toAttempt(row)]))
      return found.map((row) => ({ rotation: fromRow(row), attempt: latest.get(row.id) ?? null }))
    },

    async byId(id) {
      const row = await query(rows().where('r.id', '=', id).executeTakeFirst())
      return row ? fromRow(row) : null
    },

    async byAttempt(attemptId) {
      const row = await query(
        rows().innerJoin('rotation_attempts as a', 'a.rotation_id', 'r.id').where('a.id', '=', attemptId).executeTakeFirst(),
      )
      return row ? fromRow(row) : null
    },

    async attempts(rotationId) {
      const found = await query(
        db.selectFrom('rotation_attempts').selectAll().where('rotation_id', '=', rotationId).orderBy('number').execute(),
      )
      return found.map(toAttempt)
    },

    async newest({ deviceId, batchId, state, trigger, from, to, after, limit }) {
      const found = await query(
        rows()
          .$if(deviceId !== undefined, (select) => select.where('r.device_id', '=', deviceId ?? ''))
          .$if(batchId !== undefined, (select) => select.where('r.batch_id', '=', batchId ?? ''))
          .$if(state !== undefined, (select) => select.where('r.state', '=', state ?? 'queued'))
          .$if(trigger !== undefined, (select) => select.where('r.trigger', '=', trigger ?? 'forced'))
          .$if(from !== undefined, (select) => select.where('r.created_at', '>=', new Date(from ?? 0)))
          .$if(to !== undefined, (select) => select.where('r.created_at', '<', new Date(to ?? 0)))
          .$if(after !== undefined, (select) =>
            select.where(sql<boolean>`(r.created_at, r.id) < (select created_at, id from rotations where id = ${after ?? ''})`),
          )
          .orderBy('r.created_at', 'desc')
          .orderBy('r.id', 'desc')
          .limit(limit)
          .execute(),
      )
      return found.map(fromRow)
    },

    async counts(batchId) {
      const found = await query(
        db
          .selectFrom('rotations')
          .select(['state', (expression) => expression.fn.countAll<string>().as('count')])
          .where('batch_id', '=', batchId)
          .groupBy('state')
          .execute(),
      )
      return Object.fromEntries(found.map(({ state, count }) => [state, Number(count)]))
    },

    async lastSeen(ip, since, before) {
      const bits = ip.includes(':') ? 64 : 32
      const row = await query(
        db
          .selectFrom('ip_history')
          .select((expression) => expression.fn.max('last_seen').as('last_seen'))
          .where('exit', '=', sql<string>`network(set_masklen(${ip}::inet, ${sql.lit(bits)}))`)
          .where('last_seen', '>=', new Date(since))
          .where('first_seen', '<', new Date(before))
          .executeTakeFirst(),
      )
      return row?.last_seen?.getTime() ?? null
    },
  }
}
