import type { FastifyHelmetOptions } from '@fastify/helmet'

const HALF_A_YEAR_S = 15_552_000

/** What both the API and the page say. Nothing that would force https: a farm's hub is reached by http on a private address, and the page would stay blank. */
const headers = (isTls: boolean): FastifyHelmetOptions => ({
  strictTransportSecurity: isTls ? { maxAge: HALF_A_YEAR_S, includeSubDomains: false } : false,
  // Browsers complain about these over http.
  crossOriginOpenerPolicy: isTls,
  originAgentCluster: isTls,
  referrerPolicy: { policy: 'no-referrer' },
  xFrameOptions: { action: 'deny' },
})

/** For answers that are data: nothing in them may run or be shown in a frame. */
export const apiHeaders = (isTls: boolean): FastifyHelmetOptions => ({
  ...headers(isTls),
  contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
})

/** For the page: its own files and nothing else. */
export const pageHeaders = (isTls: boolean): FastifyHelmetOptions => ({
  ...headers(isTls),
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'self'"], objectSrc: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"], frameAncestors: ["'none'"] },
  },
})
