// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/streams.mjs https://example.com/big
import { createHash } from 'node:crypto'
import { MobilePool } from '@mobilepool/sdk'
import { pipeline, stream } from 'undici'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })
const { dispatcher } = pool

for (const url of process.argv.slice(2)) {
  // Down, into a stream of yours, as it comes: nothing is kept in memory.
  const digest = createHash('sha256')
  await stream(url, { dispatcher, method: 'GET' }, ({ statusCode }) => {
    console.log('status', statusCode)
    return digest
  })
  console.log('sha256', digest.digest('hex'))

  // Up and down: a body that is read only once goes to one device and is not repeated.
  const duplex = pipeline(url, { dispatcher, method: 'POST' }, ({ body }) => body)
  duplex.end('a long upload')
  let bytes = 0
  for await (const chunk of duplex) bytes += chunk.length
  console.log('answered with', bytes, 'bytes')
}
await pool.close()
