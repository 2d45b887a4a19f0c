import { once } from 'node:events'
import { get } from 'node:https'
import { json } from 'node:stream/consumers'
import type { Lease } from '@mobilepool/sdk'
import { expect } from 'vitest'
import { localhostCertificate } from './servers/certificate.ts'
import type { SeenRequest } from './servers/origin.ts'

/** The exit IP as the origin sees it, through the lease's agent. */
export const exitByAgent = async (lease: Lease, url: string): Promise<string> => {
  const [response] = await once(get(url, { agent: lease.httpsAgent, ca: localhostCertificate.cert }), 'response')
  return ((await json(response)) as SeenRequest).remoteAddress
}

/** The error of a lease of busan-03 that is lost. */
export const lost = { code: 'MP_LEASE_LOST', message: expect.stringContaining('device busan-03') }

/** Everything that a lease offers for sending refuses with this code. */
export async function refusesEverywhere(lease: Lease, url: string, code: string): Promise<void> {
  await expect(lease.fetch(url)).rejects.toMatchObject({ code })
  await expect(fetch(url, Object.assign({}, { dispatcher: lease.dispatcher }))).rejects.toMatchObject({ cause: { code } })
  await expect(lease.dispatcher.with({ session: 'another' }).fetch(url)).rejects.toMatchObject({ code })
  await expect(exitByAgent(lease, url)).rejects.toMatchObject({ code })
}
