import { echoReply } from '@mobilepool/sdk/contract'
import { Agent, request } from 'undici'
import type { AgentConfig } from '../config.ts'
import { type Finding, fail, ok, reasonOf, warn } from './finding.ts'

const TIMEOUT_MS = 8_000
/** Below this it is the coarseness of the Date header; above it logs of hub and agent no longer fit together. */
const SKEW_MS = 5_000

const tlsMends: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT:
    "The hub's certificate is its own: give its file in NODE_EXTRA_CA_CERTS, or give the hub one of a known authority.",
  SELF_SIGNED_CERT_IN_CHAIN: "The hub's authority is not known here: give its certificate in NODE_EXTRA_CA_CERTS.",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "The hub does not send its whole chain: give it the chain's file, not the certificate alone.",
  CERT_HAS_EXPIRED: "Renew the hub's certificate; if it has not expired, set this machine's clock.",
  CERT_NOT_YET_VALID: "Set this machine's clock: it is before the hub's certificate begins.",
  ERR_TLS_CERT_ALTNAME_INVALID: 'The certificate is of another name: use that name in --hub.',
  ENOTFOUND: 'There is no such host: check the name in --hub, and the name servers of this machine.',
  EAI_AGAIN: 'No name server answers: check the network of this machine.',
  ECONNREFUSED: 'Nothing listens there: start the hub, check the port, and that it listens beyond its own machine (--host).',
}

/** What a person is to do about a hub that cannot be reached. */
export const mendHub = (error: unknown): string =>
  tlsMends[String((error as { code?: unknown }).code)] ?? 'Check --hub, that the hub runs, and the firewalls on the way.'

/** The hub by the host's own network, beside the device: tells a hub that is down from a device that is offline. */
export async function checkHub({ hub }: AgentConfig): Promise<{ findings: Finding[]; hostIp: string | null }> {
  const dispatcher = new Agent({ connect: { timeout: TIMEOUT_MS } })
  try {
    const url = `${hub.replace(/\/+$/, '')}/api/v1/echo`
    const reply = await request(url, { dispatcher, signal: AbortSignal.timeout(TIMEOUT_MS) })
    const text = await reply.body.text()
    const echo = reply.statusCode === 200 ? echoReply.safeParse(parse(text)) : null
    if (!echo?.success) {
      const says = `what answers at ${hub} is no hub (status ${reply.statusCode})`
      return { findings: [fail('hub', says, 'Check --hub: it is the address of the hub itself, with its port.')], hostIp: null }
    }
    return { findings: [ok('hub', `${hub} answers`), clockFinding(reply.headers.date)], hostIp: echo.data.ip }
  } catch (error) {
    return { findings: [fail('hub', `${hub} cannot be reached by this machine (${reasonOf(error)})`, mendHub(error))], hostIp: null }
  } finally {
    await dispatcher.destroy()
  }
}

function clockFinding(date: string | string[] | undefined): Finding {
  const aheadMs = Date.now() - Date.parse(String(date))
  if (Number.isNaN(aheadMs)) return ok('clock', 'the hub does not tell the time')
  const seconds = Math.round(Math.abs(aheadMs) / 1_000)
  if (Math.abs(aheadMs) < SKEW_MS) return ok('clock', "this machine's clock is the hub's")
  const says = `this machine's clock is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the hub's`
  return warn(
    'clock',
    says,
    'Set both clocks by NTP (timedatectl set-ntp true). Rotations work all the same, logs and certificates may not.',
  )
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
