// Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/websocket.mjs wss://echo.example
import { MobilePool } from '@mobilepool/sdk'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })

for (const url of process.argv.slice(2)) {
  const socket = new WebSocket(url, { dispatcher: pool }) // Node's own, from 22 on; npm undici's takes `pool.dispatcher`
  socket.addEventListener('open', () => socket.send('hello'))
  const event = await new Promise((resolve, reject) => {
    socket.addEventListener('message', resolve)
    socket.addEventListener('error', reject)
  })
  console.log(event.data)
  socket.close()
}
await pool.close()
