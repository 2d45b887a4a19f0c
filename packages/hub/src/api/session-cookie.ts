import type {} from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { HubError } from '../errors.ts'

/** Holds the refresh token. */
const COOKIE = 'mobilepool_refresh'
/** The only paths that a browser sends it to. */
const PATH = '/api/v1/auth'

/** Out of reach of scripts and of other sites; not over plain http where the hub, or the trusted proxy before it, speaks https. */
const attributes = (request: FastifyRequest) =>
  ({ path: PATH, httpOnly: true, sameSite: 'strict', secure: request.protocol === 'https' }) as const

/** Gives the browser a refresh token. */
export function setSessionCookie(request: FastifyRequest, reply: FastifyReply, token: string, maxAgeMs: number): void {
  reply.setCookie(COOKIE, token, { ...attributes(request), maxAge: Math.floor(maxAgeMs / 1000) })
}

/** Takes it away. */
export function clearSessionCookie(request: FastifyRequest, reply: FastifyReply): void {
  reply.clearCookie(COOKIE, attributes(request))
}

/** The refresh token that the browser sent. */
export const sessionCookie = (request: FastifyRequest): string | null => request.cookies[COOKIE] ?? null

/**
 * Refuses what another site's page sends. SameSite=Strict keeps the cookie away from such requests already, but for pages on other ports
 * and sub-domains, which browsers count as the same site.
 * @throws HubError `forbidden`
 */
export function refuseOtherSites(request: FastifyRequest, corsOrigins: readonly string[]): void {
  const { origin, 'sec-fetch-site': site } = request.headers
  if (origin === undefined && (site === undefined || site === 'same-origin' || site === 'none')) return
  const isOwn = origin !== undefined && URL.canParse(origin) && new URL(origin).host === request.host
  if (!isOwn && (origin === undefined || !corsOrigins.includes(origin)))
    throw new HubError('forbidden', 'A login can be used by the hub’s own page only, or by origins of CORS_ORIGINS.')
}
