import { isIPv4 } from 'node:net'
import { z } from 'zod'
import { mobileInterfaceOptions } from './mobile-interface.ts'

/** Options of every stick with a web page. `interfaceProblem` is to be checked too. */
export const stickOptions = {
  ...mobileInterfaceOptions,
  /** Needed where the stick asks for a login; without one it is better to switch its login off. */
  password: z.string().min(1).max(200).optional(),
  /** How long data stays off, in ms: the tries of a rotation, in order. @default [6000, 15000, 40000] */
  holdsMs: z.array(z.int().min(0).max(600_000)).min(1).max(10).default([6_000, 15_000, 40_000]),
  /** One request to the stick, in ms. @default 5000 */
  timeoutMs: z.int().min(100).max(30_000).default(5_000),
}

/** A stick's page is at its own end of the link; a name says nothing. */
export const stickGateway = (host: string): string | undefined => (isIPv4(host) ? host : undefined)

/** The stick's web page. */
export const stickUrl = (usual: string) => z.url({ protocol: /^http$/, error: `must be like ${usual}` }).default(usual)
