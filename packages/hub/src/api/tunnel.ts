import { tunnelGenerationHeader, tunnelOffer, tunnelPath, tunnelPingHeader, tunnelProtocol } from '@mobilepool/sdk/contract'
import { HubError, refused } from '../errors.ts'
import { callerOf, needs, ownDevice } from './access.ts'
import { addressOf } from './client-address.ts'
import type { Routes } from './context.ts'
import { allowedSource } from './heartbeat.ts'
import { problemReplies } from './problem.ts'
import { upgradeOf } from './upgrades.ts'

/** `GET /api/v1/agents/tunnel`: where agents dial the connections by which their devices are reached. */
export const tunnelRoutes: Routes = (context) => (app, _options, done) => {
  const { config, fleet, tunnels } = context
  const isAllowed = allowedSource(context)
  app.get(
    tunnelPath,
    {
      onRequest: needs(context, 'device'),
      exposeHeadRoute: false,
      schema: {
        summary: `A connection by which the hub reaches the device: with \`Upgrade: ${tunnelProtocol}\`, answered 101`,
        tags: ['agents'],
        querystring: tunnelOffer,
        response: problemReplies,
      },
    },
    async (request, reply) => {
      const address = addressOf(request)
      isAllowed(address)
      const device = ownDevice(context, request)
      const upgrade = upgradeOf(request.raw)
      if (!upgrade || request.headers.upgrade?.toLowerCase() !== tunnelProtocol) {
        reply.header('upgrade', tunnelProtocol)
        throw new HubError('upgrade_required', `This takes "Connection: Upgrade" and "Upgrade: ${tunnelProtocol}", from an agent.`)
      }
      const offer = request.query
      const refusal = tunnels.refusalOf(device.id, offer)
      if (refusal?.generation !== undefined) reply.header(tunnelGenerationHeader, refusal.generation)
      if (refusal) throw refused(refusal)

      reply.hijack()
      upgrade.take()
      const { socket, head } = upgrade
      const giveUp = (): void => void socket.destroy()
      socket.on('error', giveUp)
      socket.setNoDelay(true).setTimeout(0)
      // Servers' sockets are half-open: the agent's FIN would leave a session that nobody speaks to (reference: tunnel.md, pitfall 2).
      socket.allowHalfOpen = false
      const answer = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${tunnelProtocol}\r\n${tunnelPingHeader}: ${config.tunnelPingMs}\r\n\r\n`
      socket.write(answer, (error) => {
        if (error || socket.destroyed) return giveUp()
        if (head.length > 0) socket.unshift(head)
        socket.off('error', giveUp)
        fleet.see(device, address)
        tunnels.accept({ deviceId: device.id, keyId: callerOf(request)?.keyId ?? null, address, offer, socket })
      })
      return reply
    },
  )
  done()
}
