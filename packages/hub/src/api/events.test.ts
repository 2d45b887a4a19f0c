import { once } from 'node:events'
import { connect } from 'node:net'
import Fastify from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { expect, test, vi } from 'vitest'
import type { Caller } from '../auth/caller.ts'
import { RequestLimits } from '../auth/request-limits.ts'
import type { ApiContext } from './context.ts'
import { eventRoutes } from './events.ts'

test('a listener that leaves while its key is looked up is not kept', async () => {
  let found: (caller: Caller) => void = () => {}
  const identify = vi.fn(() => new Promise<Caller>((resolve) => (found = resolve)))
  const added = vi.fn()
  const closed = vi.fn()
  const limits = new RequestLimits(() => ({ perCaller: 100, perAddress: 100 }), Date.now)
  const context = { keys: { identify }, feed: { size: 0, add: added, remove: () => {} }, config: { publicStatus: true }, limits }
  const app = Fastify().setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler)
  app.addHook('onRequest', async (_request, reply) => void reply.raw.once('close', closed))
  await app.register(eventRoutes(context as unknown as ApiContext))
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as { port: number }

  const ask = async (): Promise<ReturnType<typeof connect>> => {
    const calls = identify.mock.calls.length
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('GET /api/v1/events HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer mp_key\r\n\r\n')
    await vi.waitFor(() => expect(identify).toHaveBeenCalledTimes(calls + 1))
    return socket
  }
  const caller = { id: 'key', scope: 'proxy' } as Caller
  const leaver = await ask()
  leaver.destroy()
  await vi.waitFor(() => expect(closed).toHaveBeenCalledOnce())
  found(caller)
  const stayer = await ask()
  found(caller)
  await once(stayer, 'data')
  expect(added).toHaveBeenCalledOnce()
  stayer.destroy()
  await app.close()
})
