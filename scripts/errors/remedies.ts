import type { ProblemCode, RotationFailure } from '@mobilepool/sdk/contract'
import type { ReplyCode } from '@mobilepool/sdk/proxy-server'
import type { AgentErrorCode } from '../../packages/agent/src/errors.ts'
import type { StartCode } from '../../packages/hub/src/errors.ts'

/** What most often brings a code, and what to do then. One for each code: a new code without one does not compile. */
type Remedy = readonly [cause: string, cure: string]

/** Codes of the hub's API. */
export const ofProblems: Readonly<Record<ProblemCode, Remedy>> = {
  bad_request: ['a field is missing or wrong', 'correct what `errors` names; it says what would be right'],
  unauthorized: [
    'no key, or one that is unknown, expired or revoked',
    'send `Authorization: Bearer KEY`; make a key under `POST /api/v1/keys`',
  ],
  login_failed: [
    'a typing error; after several the name is locked for a while',
    'wait for `retry_after`; `mobilepool-hub admin reset-password NAME`',
  ],
  forbidden: [
    'the key’s scope does not go so far, or a user asks for what is another’s',
    'a key of scope `admin` or `proxy`; docs/api.md says who may call what',
  ],
  address_blocked: ['too many wrong keys from this address', 'wait for `retry_after`, or `DELETE /api/v1/blocks/ADDRESS`'],
  not_found: ['a name that was changed, an id of another hub, a typing error in the path', 'look it up in the list of its kind'],
  method_not_allowed: ['GET where POST is needed, or the like', 'the `Allow` header says which'],
  device_exists: ['the name is taken, also by a name that waits to be adopted', 'another name, or PATCH the one that is there'],
  user_exists: ['name or e-mail address are taken; upper and lower case are the same', 'another one'],
  last_admin: ['the only admin would be removed, demoted or switched off', 'make another admin first'],
  setting_fixed: ['a flag or an environment variable gives it, and those win', 'change it there and start the hub again'],
  device_limit: ['`MAX_DEVICES` devices are adopted', 'raise `MAX_DEVICES`; there is no hard limit'],
  rotation_running: ['somebody or something asked a moment before', 'wait for `rotation_id`; a second one would bring nothing'],
  rotation_unsupported: ['a bare device without a rotation URL', 'give it `rotation_url`, or run an agent on it'],
  restart_unsupported: ['only an agent can restart its device', 'run an agent on it'],
  tunnel_stale: ['an agent dialled again before its older dial arrived', 'nothing: the newer one is used'],
  body_too_large: ['more than the route takes', 'smaller batches; imports up to what docs/api.md says'],
  unsupported_media_type: ['the body is no JSON, or does not say so', '`Content-Type: application/json`'],
  upgrade_required: ['the tunnel’s address was asked as a page', 'nothing: agents use it'],
  rotation_too_soon: [
    'rotated less than `ROTATION_MIN_INTERVAL` ago, or more often than the rolling limit allows',
    'wait for `retry_after`',
  ],
  quota_exhausted: ['`requests_limit` of the key or the user is used up', 'raise it, or set `requests_used` to 0'],
  too_many_requests: ['more calls a minute than `rate_limit` of the key or the hub’s', 'slow down; wait for `retry_after`'],
  internal: ['a fault of ours', 'look for the request’s id (`X-Request-Id`) in the hub’s log and tell us'],
  no_device: ['no device is online that fits the filters', '`GET /api/v1/proxy/status` shows the states; loosen the filters'],
  heartbeat_not_stored: [
    'the database refused it, or took longer than 5 s',
    'nothing: the next one comes in a minute; when it lasts, look at the database',
  ],
  database_down: ['Postgres is stopped, full, or unreachable', 'start it: the hub goes on by itself; what was acknowledged is kept'],
}

/** Why a hub does not start. */
export const ofStart: Readonly<Record<StartCode, Remedy>> = {
  config_invalid: ['a flag or a variable is wrong', 'correct what the message names'],
  port_in_use: ['another hub or another program has the port', 'stop it, or give another `--port` (gateway: `PROXY_PORT`)'],
  address_unavailable: ['`API_HOST` is no address of this machine', 'an address of this machine, or 0.0.0.0 for all'],
  data_dir_locked: ['another hub uses the same data folder', 'stop it, or give another `--data-dir`; many hubs need Postgres'],
  data_dir_unusable: ['no permission, a full disk, or not a hub’s folder', 'the message says which'],
  database_unreachable: ['`DATABASE_URL` leads nowhere, or name and password are wrong', '`psql "$DATABASE_URL"` shows the same'],
  hub_at_work: ['an admin command that needs the hub stopped, while it runs', 'stop the hub first'],
  secret_key_wrong: [
    'the database was sealed with another `SECRET_KEY`',
    'start with the former key; what it sealed cannot be read without it',
  ],
  no_admin_key: [
    'a hub beyond loopback with a fresh database and no admin',
    'set `MOBILEPOOL_ADMIN_KEY`, or `mobilepool-hub admin create-key`',
  ],
  database_not_empty: ['`admin restore` into a database that holds something', 'restore into an empty one'],
  backup_unusable: ['the file is cut, or no backup of a hub', 'take an older one; `admin backup` checks what it writes'],
}

/** Codes of the gateway, of `pool.listen()` and of an agent’s proxy, in `X-MobilePool-Error` and in the body. */
export const ofReplies: Readonly<Record<ReplyCode, Remedy>> = {
  bad_request: [
    'the client speaks no proper HTTP, or two headers contradict each other',
    'the detail says what; often a hand-made request',
  ],
  auth_required: ['no credentials, or wrong ones', '`http://USER:KEY@host:port`; percent-encode odd characters'],
  client_refused: ['the client’s address is not in the allow-list, or its account is switched off', 'look at `GATEWAY_ALLOW` and the key'],
  request_timeout: ['the client connected and sent nothing', 'a port scan, or a client that keeps spare connections: harmless'],
  expectation_failed: ['an `Expect` header other than 100-continue', 'remove the header'],
  too_many_requests: ['the key’s rate or quota is used up', 'wait for `Retry-After`; raise `rate_limit` or `requests_limit`'],
  user_limit: ['one user has too much under way at once', 'fewer at once, or another key'],
  address_limit: ['too many connections from one address', 'reuse connections'],
  too_many_failures: ['wrong credentials again and again', 'correct them; the delay ends by itself'],
  head_too_large: ['cookies or headers beyond 32 kB', 'send fewer'],
  client_gone: ['the client hung up first', 'only seen in logs; raise the client’s own time-out if it was too short'],
  internal: ['a fault of ours', 'the hub’s log says why; tell us'],
  not_implemented: ['a transfer coding or an upgrade that no proxy can carry', 'use CONNECT for it'],
  version_not_supported: ['HTTP/2 or HTTP/0.9 to the proxy’s port', 'HTTP/1.1 to the proxy; HTTP/2 to the site goes through CONNECT'],
  draining: ['the device is about to rotate', 'send it again at once: it goes to another device, nothing was forwarded'],
  offline: ['the device has no network now', 'send it again: nothing was forwarded; if it lasts, look at the device'],
  egress_leak: ['the device’s traffic would leave by the host’s own line', 'look at interface and routes: `mobilepool-agent doctor`'],
  too_many_connections: ['the proxy has all that it takes', 'reuse connections; more hubs'],
  no_device: ['no device fits the user name’s filters, or all are offline', 'loosen them; `GET /api/v1/proxy/status`'],
  all_banned: ['the site has banned every exit IP', 'wait for `Retry-After`; slow down; rotate on bans; more devices'],
  session_ip_changed: ['the session was strict (`-strict`) and its exit IP is gone', 'another session name'],
  lease_lost: ['the lease’s device or exit IP is gone', 'take another lease'],
  connect_timeout: ['the target takes no connection', 'is it up? from this country? on this port?'],
  idle_timeout: ['nobody said anything for too long', 'keep-alives in the client, or a longer time-out'],
  bad_response: ['the target speaks no HTTP on that port', 'https targets through CONNECT'],
  dns_failed: ['the name has no address at the device’s carrier', 'a typing error, or the carrier filters it'],
  connection_refused: ['nothing listens at the target’s port', 'another port'],
  connection_reset: ['target or carrier cut the connection', 'send it again if that is safe: it may have been received'],
  broken_pipe: ['the target stopped reading', 'a body that it does not want: look at its limits'],
  target_refused: [
    'a private, loopback or metadata address, or a port that is not allowed',
    '`GATEWAY_PORTS`; private targets never through devices',
  ],
  network_unreachable: ['no route from the device', 'an IPv6-only target: `--ipv6` at the agent'],
  host_unreachable: ['no route to the target', 'the same'],
  upstream_failed: ['anything else on the way', 'the detail says what'],
}

/** Why a rotation failed, as `reason` of a rotation. */
export const ofRotations: Readonly<Record<RotationFailure, Remedy>> = {
  device_unreachable: [
    'phone unplugged, stick hung, wrong address of its page',
    'plug it in; `mobilepool-agent doctor`; `power` switches a hung one',
  ],
  permission_denied: ['adb not allowed, no root, not in the group `dialout`', '`doctor` says which, and the command that mends it'],
  unsupported: ['this device cannot do this method', 'another method; `mobilepool-agent calibrate` finds those that work'],
  sim_missing: ['no SIM, or a loose one', 'push it in, restart the device'],
  sim_locked: ['the SIM asks for its PIN', 'switch the PIN off'],
  no_registration: ['no coverage, no credit, a barred SIM', 'look at signal and account'],
  no_data_session: ['wrong APN, no data plan', 'set the APN; look at the plan'],
  probe_failed: ['online, but the hub’s echo could not be reached', 'is the hub reachable from the carrier’s network? `PUBLIC_URL`'],
  egress_leak: ['the probe left by the host’s own line', 'interface and policy routes: `doctor`'],
  stuck_offline: ['it did not come back within its time', 'the agent tries to bring it back by itself; `power` for the hard cases'],
  deadline_exceeded: ['it took longer than `ROTATION_TIMEOUT`', 'raise it for slow devices; look at the holds: `mobilepool-agent holds`'],
  busy: ['something else has the device', 'wait'],
  too_soon: ['the box or the carrier allows it once in so many minutes', 'raise the interval'],
  auth_failed: [
    'wrong password of the stick’s page, or a link that expired',
    'correct it in `driverOptions`, or give a new `rotation_url`',
  ],
  canceled: ['somebody canceled it, or the agent was stopped', 'nothing'],
}

/** What an agent’s commands end with. */
export const ofAgents: Readonly<Record<Exclude<AgentErrorCode, RotationFailure>, Remedy>> = {
  bad_config: ['a flag, a variable or a line of the file is wrong', 'the message names each, with its line'],
  state_dir: ['the folder cannot be written, is damaged, or another agent uses it', 'the message says which; one agent a device'],
  not_enrolled: ['no device key yet, and no token', '`mobilepool-agent enroll --hub URL --token TOKEN ...`'],
  enroll_refused: ['the token is spent, expired, or for another name', 'make a new one: a token enrols one device, once'],
  hub_unreachable: ['hub off, wrong URL, no network', 'the agent tries again by itself; `doctor` tells the three apart'],
  hub_unauthorized: ['the device was removed at the hub', 'stop the agent, or enrol it anew'],
  hub_refused: ['another server at that URL, or another version', 'check the URL; same version on both sides'],
  not_running: ['the command needs a running agent of this device', '`mobilepool-agent run`, or the service: `systemctl status`'],
}
