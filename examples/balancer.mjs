// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/balancer.mjs https://example.com
import { MobilePool } from '@mobilepool/sdk'

/** SIMs with a flat rate first; the others only while every one of those has five requests under way. */
const byTariff = {
  pick({ devices, isEligible }) {
    const mayServe = devices.filter((device) => isEligible(device))
    const cheap = mayServe.filter(({ tags, inFlight }) => tags.includes('flat-rate') && inFlight < 5)
    const choice = cheap.length > 0 ? cheap : mayServe
    return choice.reduce((best, device) => (device.inFlight < best.inFlight ? device : best))
  },
}

const urls = (process.env.MOBILEPOOL_DEVICES ?? '').split(',')
const devices = urls.map((url, index) => ({ url, tags: index === 0 ? ['flat-rate'] : [] }))
const pool = new MobilePool({ devices, balancer: byTariff })
pool.on('balancerError', ({ error }) => console.error('balancer:', error.message)) // the pool then chooses by itself

for (const url of process.argv.slice(2)) {
  const response = await fetch(url, { dispatcher: pool })
  console.log(response.headers.get('x-mobilepool-device'), response.status)
  await response.text()
}
await pool.close()
