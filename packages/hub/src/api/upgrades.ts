import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** Connections that ask for another protocol, by their request; a route may take its own. */
const waiting = new WeakMap<IncomingMessage, Upgrade>()

/** A connection that a client wants to use otherwise. */
export interface Upgrade {
  readonly socket: Socket
  /** What came after the request already. */
  readonly head: Buffer
  /** Takes the connection from HTTP/1.1: answer it on the socket. */
  take(): void
}

/** What of this request's connection may be taken over; null: it asks for no upgrade. */
export const upgradeOf = (request: IncomingMessage): Upgrade | null => waiting.get(request) ?? null

/**
 * Hands requests with `Upgrade` to the routes like all others, with all of their checks. Where no route takes the connection over, the answer
 * ends it, as RFC 9110 lets a server do that ignores the wish.
 */
export function routeUpgrades(app: FastifyInstance): void {
  app.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const onError = (): void => void socket.destroy()
    socket.on('error', onError)
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket)
    const end = (): void => socket.destroySoon()
    response.once('finish', end)
    const take = (): void => {
      response.off('finish', end)
      response.detachSocket(socket)
      socket.off('error', onError)
    }
    waiting.set(request, { socket, head, take })
    app.routing(request, response)
  })
}
