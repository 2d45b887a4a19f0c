// Run: MOBILEPOOL_DEVICE=http://user:pass@10.0.0.5:8080 ROTATE_URL=http://10.0.0.5/rotate?token=T EXIT_IP_URL=http://my-server:8099/ \
//   node examples/rotate.mjs
import { MobilePool } from '@mobilepool/sdk'

const pool = new MobilePool({
  devices: [{ id: 'phone-07', url: process.env.MOBILEPOOL_DEVICE ?? '', rotate: process.env.ROTATE_URL ?? '' }],
  exitIpUrl: process.env.EXIT_IP_URL, // asked through the device, before and after
  rotate: { verifyMs: Number(process.env.VERIFY_MS ?? 30_000) }, // how long to look for another exit IP
})

const { outcome, oldIp, newIp, durationMs, reason, detail } = await pool.rotate('phone-07')
if (outcome === 'changed') console.log(`changed: ${oldIp} -> ${newIp} in ${durationMs} ms`)
else if (outcome === 'unchanged') console.log(`unchanged: still ${oldIp}`)
else console.log(`failed: ${reason}: ${detail}`)
await pool.close()
