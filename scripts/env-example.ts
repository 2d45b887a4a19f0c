/**
 * Writes `deploy/.env.example` from what the hub and the agent really read: `npm run env-example`. A test holds that the file is current.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { environmentVariables } from '../packages/agent/src/config-sources.ts'
import { variables } from '../packages/hub/src/config-sources.ts'

/** Set by the owner before the compose file starts anything; none has a default. */
const OWNERS: readonly (readonly [name: string, help: string])[] = [
  ['POSTGRES_PASSWORD', 'password of the database, letters and digits: openssl rand -hex 24'],
  ['SECRET_KEY', 'encrypts what is secret in the database; keep a copy elsewhere: openssl rand -hex 32'],
  ['MOBILEPOOL_ADMIN_KEY', 'the first admin key: echo mp_$(openssl rand -hex 24)'],
  ['PUBLIC_URL', 'what people and devices reach the hub by, like https://hub.example.com'],
  ['REDIS_PASSWORD', 'password of Redis, letters and digits: openssl rand -hex 24'],
  ['GRAFANA_ADMIN_PASSWORD', 'password of the user admin of Grafana'],
]

const line = (name: string, help: string): string => `# ${help}\n#${name}=`

/** The file's text. */
export function environmentExample(): string {
  const owned = new Set(OWNERS.map(([name]) => name))
  const others = variables.filter(({ env: [name] }) => !owned.has(name))
  return `${[
    '# Written by `npm run env-example` from what hub and agent read; do not edit this copy.',
    '# cp .env.example .env && chmod 600 .env, then fill in the first part. An empty variable counts as unset.',
    '',
    '## Needed by compose.yaml, which starts nothing without them',
    '',
    ...OWNERS.map(([name, help]) => `# ${help}\n${name}=`),
    '',
    '## The hub. In brackets what holds without it. compose.yaml sets API_HOST, DATABASE_URL and TRUST_PROXY itself.',
    '',
    ...others.map(({ env: [name], help }) => line(name, help)),
    '',
    '## The agent, which runs where the SIM is: not read by compose.yaml',
    '',
    ...environmentVariables.map(({ name, help }) => line(name, help)),
  ].join('\n')}\n`
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, '..', 'deploy', '.env.example'), environmentExample())
