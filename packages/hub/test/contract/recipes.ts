import { randomUUID } from 'node:crypto'
import type { Ask } from '../client.ts'
import { usageRecord } from '../records.ts'

/** What the recipes' requests refer to; made before the first of them. */
export interface World {
  /** An agent's device, online. */
  agent: { id: string; name: string; key: string }
  /** A device without an agent. */
  bare: { id: string; name: string }
  parserKey: string
  user: { id: string; name: string; password: string; token: string }
  /** A key that may be changed and revoked. */
  key: { id: string }
  /** A rotation that has ended. */
  rotation: { id: string }
  /** A "rotate all". */
  batch: { id: string }
  alert: { id: string }
  channel: { id: string }
  link: { id: string; device: string; secret: string }
  enrolToken: string
}

/** A valid request: what to put into the path, and the rest. */
export interface Recipe extends Ask {
  params?: Record<string, string>
  query?: string
  /** The status it is answered with. */
  status: number
}

/** For every operation at least one valid request; whoever adds a route adds its line here. Asked in this order. */
export const recipes = (of: World): Record<string, Recipe[]> => {
  const device = { id: of.bare.name }
  const admin = { key: 'admin' }
  return {
    'GET /proxy_server': [{ query: 'name=moscow-08', status: 200 }],
    'GET /status': [{ status: 200 }, { query: 'limit=1', status: 200 }],
    'GET /healthz': [{ status: 200 }],
    'GET /readyz': [{ status: 200 }],
    'GET /metrics': [{ status: 200 }],
    'GET /api/v1/echo': [{ status: 200 }],
    'POST /api/v1/agents/tokens': [{ ...admin, method: 'POST', body: { name: 'tula-11', ttl: 60 }, status: 201 }],
    'POST /api/v1/agents/enroll': [
      { body: { token: of.enrolToken, name: 'perm-12', device_type: 'android', agent_version: '1.0.0' }, status: 201 },
    ],
    'POST /api/v1/agents/heartbeat': [
      {
        key: of.agent.key,
        body: {
          agent_version: '1.0.0',
          proxy_url: 'http://127.0.0.1:8080',
          methods: ['airplane_mode'],
          telemetry: { operator: 'MTS', battery: 80 },
        },
        status: 200,
      },
    ],
    'GET /api/v1/agents/tunnel': [{ key: of.agent.key, query: 'generation=1&slot=0&dial=1', status: 426 }],
    'GET /api/v1/agents/commands': [{ key: of.agent.key, query: 'wait=0', status: 200 }],
    'POST /api/v1/agents/commands/{id}': [
      {
        key: of.agent.key,
        params: { id: of.rotation.id },
        body: { state: 'changed', method: 'airplane_mode', old_ip: '127.10.3.1', new_ip: '127.10.3.2', reason: null, detail: null },
        status: 200,
      },
    ],
    'POST /api/v1/auth/login': [{ body: { username: of.user.name, password: of.user.password }, status: 200 }],
    'POST /api/v1/auth/refresh': [{ status: 401 }],
    'POST /api/v1/auth/logout': [{ status: 204 }],
    'GET /api/v1/auth/me': [
      { key: of.user.token, status: 200 },
      { ...admin, status: 200 },
    ],
    'GET /api/v1/admin/devices': [{ ...admin, status: 200 }],
    'POST /api/v1/admin/devices': [
      { ...admin, body: { name: 'ufa-13', device_type: 'usb_modem', proxy_url: 'http://u:p@127.0.0.1:9', tags: ['farm-1'] }, status: 201 },
    ],
    'GET /api/v1/admin/devices/{id}': [
      { ...admin, params: { id: of.agent.id }, status: 200 },
      { ...admin, params: device, status: 200 },
    ],
    'GET /api/v1/admin/devices/{id}/ips': [{ ...admin, params: { id: of.agent.id }, query: 'limit=5', status: 200 }],
    'PUT /api/v1/admin/devices/{id}': [{ ...admin, params: device, body: { weight: 2, operator: 'MTS' }, status: 200 }],
    'PATCH /api/v1/admin/devices/{id}': [{ ...admin, params: device, body: { region: 'Moscow', data_cap_bytes: 5e9 }, status: 200 }],
    'GET /api/v1/proxy/list': [{ key: of.parserKey, query: 'type=android&operator=MTS', status: 200 }],
    'GET /api/v1/rotations': [{ key: of.parserKey, query: `limit=5&device=${of.agent.name}`, status: 200 }],
    'GET /api/v1/rotations/{id}': [{ key: of.parserKey, params: { id: of.rotation.id }, status: 200 }],
    'POST /api/v1/rotations/{id}/cancel': [{ ...admin, params: { id: of.rotation.id }, status: 409 }],
    'GET /api/v1/rotations/batches/{id}': [{ key: of.parserKey, params: { id: of.batch.id }, status: 200 }],
    'POST /api/v1/rotations/batches/{id}/cancel': [{ ...admin, params: { id: of.batch.id }, status: 200 }],
    'GET /api/v1/proxy/random': [
      { key: of.parserKey, query: 'status=online', status: 200 },
      { key: of.parserKey, query: 'format=txt', status: 200 },
      { key: of.parserKey, query: 'operator=nobody', status: 503 },
    ],
    'GET /api/v1/proxy/by-operator': [
      { key: of.parserKey, status: 200 },
      { key: of.parserKey, query: 'limit=1', status: 200 },
    ],
    'GET /api/v1/proxy/status': [{ key: of.parserKey, status: 200 }],
    'POST /api/v1/admin/devices/import': [
      { ...admin, query: 'format=csv', raw: 'name,operator\nufa-14,MTS\n', headers: { 'content-type': 'text/csv' }, status: 200 },
    ],
    'GET /api/v1/admin/devices/export': [
      { ...admin, query: 'format=csv', status: 200 },
      { ...admin, query: 'format=json', status: 200 },
    ],
    'POST /api/v1/admin/devices/{id}/restart': [{ ...admin, params: device, status: 409 }],
    'GET /api/v1/alerts': [{ ...admin, query: 'limit=5', status: 200 }],
    'GET /api/v1/alerts/{id}': [{ ...admin, params: { id: of.alert.id }, status: 200 }],
    'POST /api/v1/alerts/{id}/ack': [{ ...admin, params: { id: of.alert.id }, body: { comment: 'seen' }, status: 200 }],
    'GET /api/v1/alerts/rules': [{ ...admin, status: 200 }],
    'PUT /api/v1/alerts/rules': [{ ...admin, body: { rules: [{ rule: 'rotation_failed', enabled: true }] }, status: 200 }],
    'GET /api/v1/alerts/channels': [{ ...admin, status: 200 }],
    'POST /api/v1/alerts/channels': [{ ...admin, body: { kind: 'webhook', name: 'on call', url: 'http://127.0.0.1:9/hook' }, status: 201 }],
    'PATCH /api/v1/alerts/channels/{id}': [{ ...admin, params: { id: of.channel.id }, body: { min_severity: 'critical' }, status: 200 }],
    'POST /api/v1/alerts/test': [{ ...admin, body: { channel: of.channel.id }, status: 200 }],
    'DELETE /api/v1/alerts/channels/{id}': [{ ...admin, params: { id: of.channel.id }, status: 204 }],
    'POST /api/v1/admin/devices/{id}/rotation-links': [{ ...admin, params: { id: of.agent.id }, body: {}, status: 201 }],
    'GET /api/v1/admin/devices/{id}/rotation-links': [{ ...admin, params: { id: of.agent.id }, status: 200 }],
    'GET /api/v1/rotation-links/{secret}': [{ params: { secret: of.link.secret }, query: 'format=json', status: 200 }],
    'POST /api/v1/rotation-links/{secret}': [{ params: { secret: of.link.secret }, query: 'format=json', status: 202 }],
    'DELETE /api/v1/admin/devices/{id}/rotation-links/{link}': [
      { ...admin, params: { id: of.link.device, link: of.link.id }, status: 204 },
    ],
    'POST /api/v1/usage': [{ key: of.parserKey, body: { id: randomUUID(), records: [usageRecord(of.bare.id)] }, status: 200 }],
    'GET /api/v1/stats/overview': [{ key: of.parserKey, query: 'period=7d&time_zone=Asia/Seoul', status: 200 }],
    'GET /api/v1/stats/devices': [
      { key: of.parserKey, query: 'sort=-requests&limit=5', status: 200 },
      { key: of.parserKey, query: 'by=operator', status: 200 },
    ],
    'GET /api/v1/stats/requests': [
      { ...admin, query: `device=${of.bare.name}&outcome=answered`, status: 200 },
      { key: of.parserKey, status: 200 },
    ],
    'GET /api/v1/stats/ips': [{ key: of.parserKey, query: 'period=30d&repeated=true', status: 200 }],
    'GET /api/v1/stats/export': [
      { key: of.parserKey, query: 'of=requests&format=ndjson', status: 200 },
      { key: of.parserKey, query: 'of=devices', status: 200 },
      { key: of.parserKey, query: 'of=ips', status: 200 },
      { key: of.parserKey, query: 'of=rotations', status: 200 },
    ],
    'GET /api/v1/admin/devices/{id}/stats': [{ ...admin, params: { id: of.agent.id }, query: 'bucket=hour', status: 200 }],
    'POST /api/v1/bans': [
      {
        key: of.parserKey,
        body: { reporter: randomUUID(), bans: [{ exit_ip: '127.10.1.1', site: 'shop.com', lasts_ms: 60_000, rule: 'status 403' }] },
        status: 200,
      },
    ],
    'GET /api/v1/bans': [{ key: of.parserKey, status: 200 }],
    'GET /api/v1/users': [{ ...admin, status: 200 }],
    'POST /api/v1/users': [{ ...admin, body: { username: 'olga', password: 'a long enough passphrase', role: 'user' }, status: 201 }],
    'GET /api/v1/users/{id}': [{ ...admin, params: { id: of.user.id }, status: 200 }],
    'PATCH /api/v1/users/{id}': [{ ...admin, params: { id: of.user.id }, body: { requests_limit: 500 }, status: 200 }],
    'GET /api/v1/keys': [{ ...admin, status: 200 }],
    'POST /api/v1/keys': [{ ...admin, body: { name: 'scraper', scope: 'read' }, status: 201 }],
    'PATCH /api/v1/keys/{id}': [{ ...admin, params: { id: of.key.id }, body: { name: 'renamed' }, status: 200 }],
    'DELETE /api/v1/keys/{id}': [{ ...admin, params: { id: of.key.id }, status: 204 }],
    'GET /api/v1/audit': [{ ...admin, query: 'limit=5', status: 200 }],
    'GET /api/v1/blocks': [{ ...admin, status: 200 }],
    'DELETE /api/v1/blocks/{address}': [{ ...admin, params: { address: '127.99.99.99' }, status: 404 }],
    'GET /api/v1/config': [{ ...admin, status: 200 }],
    'PATCH /api/v1/config': [{ ...admin, body: { settings: { ROTATION_DRAIN: 2 } }, status: 200 }],
    // These end what the others refer to.
    'POST /api/v1/admin/devices/{id}/rotate': [
      { ...admin, params: { id: of.agent.id }, body: { comment: 'by hand' }, status: 202 },
      { ...admin, params: device, status: 409 },
    ],
    'POST /api/v1/proxy/rotate': [{ key: of.parserKey, body: { device: of.agent.name }, status: 409 }],
    'POST /api/v1/auth/password': [
      { key: of.user.token, body: { current_password: of.user.password, new_password: 'another long passphrase' }, status: 200 },
    ],
    'DELETE /api/v1/users/{id}': [{ ...admin, params: { id: of.user.id }, status: 204 }],
    'DELETE /api/v1/admin/devices/{id}': [{ ...admin, params: device, status: 204 }],
  }
}
