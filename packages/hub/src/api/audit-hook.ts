import type { FastifyInstance, FastifyRequest } from 'fastify'
import { limitKey, normalAddress } from '../fleet/address.ts'
import { RateLimit } from '../rate-limit.ts'
import type { AuditEntry } from '../store/index.ts'
import { callerOf } from './access.ts'
import type { ApiContext } from './context.ts'
import { soon } from './soon.ts'

const MUTATING = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])
/** Reports of machines, many a minute: they change nothing that people set, and have tables of their own. */
const REPORTS = new Set(['/api/v1/agents/heartbeat', '/api/v1/agents/commands/:id', '/api/v1/usage', '/api/v1/bans'])
/** Every open page does this every ten minutes: only what fails of it is worth a line. */
const ROUTINE = new Set(['/api/v1/auth/refresh'])
/** Refused requests of one address that are recorded a minute: a flood of them must not become a flood of rows. */
const REFUSED_PER_MINUTE = 60
/** An answer does not wait longer for its line in the log. */
const WAIT_MS = 100
const MAX_FIELDS = 30
const FIELD = /^[A-Za-z_][\w.-]{0,49}$/

/** Who acted, and on what, where a route knows better than its key and path. */
interface Note {
  fields?: string[]
  subject?: string | null
  actor?: { id: string; name: string }
}
const notes = new WeakMap<FastifyRequest, Note>()

/** Says what the audit log cannot see of a request. */
export function noteForAudit(request: FastifyRequest, note: Note): void {
  notes.set(request, { ...notes.get(request), ...note })
}

/** Records every request that may change something, with its outcome; never values, only names of fields. */
export function recordChanges(app: FastifyInstance, { audit, now }: ApiContext): void {
  const refusals = new RateLimit(REFUSED_PER_MINUTE)

  // Callbacks instead of promises: a heartbeat passes here, too, and should not wait for a turn.
  app.addHook('preValidation', (request, _reply, done) => {
    // What was given: validation adds the defaults.
    if (MUTATING.has(request.method)) noteForAudit(request, { fields: fieldsOf(request.body) })
    done()
  })

  app.addHook('preSerialization', (request, _reply, payload: unknown, done) => {
    if (MUTATING.has(request.method) && notes.get(request)?.subject === undefined) {
      const subject = idOf(payload)
      if (subject !== null) noteForAudit(request, { subject })
    }
    done(null, payload)
  })

  app.addHook('onSend', (request, reply, payload, done) => {
    const route = request.routeOptions.url
    const { statusCode: status } = reply
    const isQuiet = route === undefined || REPORTS.has(route) || (status < 400 && ROUTINE.has(route))
    if (!MUTATING.has(request.method) || isQuiet) return done(null, payload)
    const address = normalAddress(request.ip)
    const isRefused = status === 401 || status === 403 || status === 429
    if (isRefused && refusals.take(limitKey(address ?? ''), now()) > 0) return done(null, payload)
    const written = audit.record(entryOf(request, { route, status, address, at: now() }))
    void soon(written, WAIT_MS).then(() => done(null, payload))
  })
}

function entryOf(request: FastifyRequest, about: { route: string; status: number; address: string | null; at: number }): AuditEntry {
  const caller = callerOf(request)
  const note = notes.get(request)
  const { id, name } = (request.params ?? {}) as { id?: string; name?: string; address?: string }
  const user = note?.actor ?? (caller?.keyId === null && caller.userId !== null ? { id: caller.userId, name: caller.name } : null)
  return {
    at: about.at,
    actorKind: user ? 'user' : caller ? 'key' : 'anonymous',
    actorId: user?.id ?? caller?.keyId ?? null,
    actorName: user?.name ?? caller?.name ?? null,
    address: about.address,
    action: `${request.method} ${about.route}`,
    method: request.method,
    route: about.route,
    subject: (note?.subject ?? id ?? name ?? null)?.slice(0, 255) ?? null,
    status: about.status,
    fields: about.status < 400 ? (note?.fields ?? []) : [],
    requestId: request.id,
  }
}

/** What an answer is about: a thing that was made, or a rotation that began. */
function idOf(payload: unknown): string | null {
  if (typeof payload !== 'object' || payload === null) return null
  const { id, device_id: deviceId } = payload as { id?: unknown; device_id?: unknown }
  if (typeof id === 'string') return id
  return typeof deviceId === 'string' ? deviceId : null
}

const fieldsOf = (body: unknown): string[] =>
  typeof body === 'object' && body !== null && !Array.isArray(body)
    ? Object.keys(body)
        .filter((name) => FIELD.test(name))
        .slice(0, MAX_FIELDS)
    : []
