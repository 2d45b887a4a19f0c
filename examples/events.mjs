// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/events.mjs https://example.com
import { subscribe } from 'node:diagnostics_channel'
import { MobilePool } from '@mobilepool/sdk'

// For every pool of the process, wherever it was made.
subscribe('mobilepool:request', ({ method, host, outcome, attempts }) => {
  console.log(`request: ${method} ${host} ${outcome}, ${attempts.length} attempts`)
})

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })
pool.on('retry', ({ site, attempt }) => console.log(`retry: ${site}: ${attempt.device} gave ${attempt.kind}`))
pool.on('ban', ({ site, device, rule, until }) => console.log(`ban: ${site}: ${device} by ${rule} until ${new Date(until).toISOString()}`))
pool.on('eject', ({ device, reason, until }) => console.log(`eject: ${device} for ${reason} until ${new Date(until).toISOString()}`))

for (const url of process.argv.slice(2)) await (await pool.fetch(url)).text()

const { requests, ready, devices } = pool.stats()
console.log(`stats: ${requests.answered} of ${requests.started} answered, ${requests.retried} retried, ${ready} devices ready`)
for (const { name, state, faults, bans, outcomes } of devices) console.log(`device: ${name} ${state}`, { faults, bans, outcomes })
await pool.close()
