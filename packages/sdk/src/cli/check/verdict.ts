import type { Finding, FindingCode, Observation, Verdict } from './observation.ts'

/** How the check was asked for, as far as it matters for what an observation means. */
export interface Question {
  readonly echo: URL | null
  readonly isSocks: boolean
  /** Whether the proxy's URL holds credentials. */
  readonly hasCredentials: boolean
}

/** What was seen of a proxy, judged: what keeps it from being used, and what is worth knowing. */
export function judgeProxy(seen: Observation, { echo, isSocks, hasCredentials }: Question): Verdict {
  const problems: Finding[] = []
  const hints: Finding[] = []
  const problem = (code: FindingCode, text: string): void => void problems.push({ code, text })
  const hint = (code: FindingCode, text: string): void => void hints.push({ code, text })

  if (seen.unreachable !== null) {
    problem('unreachable', seen.unreachable)
    return { problems, hints }
  }
  if (seen.credentials === 'refused') {
    if (hasCredentials) problem('credentials_refused', 'the proxy does not accept the user and password in its URL')
    else problem('credentials_missing', 'the proxy wants credentials: put user:password@ into its URL')
    return { problems, hints }
  }
  if (seen.isOpenToAnyone && hasCredentials)
    hint('open_to_anyone', 'the proxy serves without credentials too: whoever can reach it can use it')

  if (echo !== null) {
    const { connect, absoluteForm } = seen
    if (connect.kind === 'failed') {
      const text = isSocks ? `no way to the echo: ${connect.why}` : `CONNECT to the echo failed: ${connect.why}`
      if (absoluteForm.kind === 'works') hint('connect_refused', `${text}; https targets need CONNECT (try --connect-to HOST:443)`)
      else problem('no_way_through', text)
    }
    if (absoluteForm.kind === 'failed') {
      if (connect.kind === 'works')
        hint('no_absolute_form', `absolute form failed (${absoluteForm.why}): give this device tunnel: 'always'`)
      else problem('no_way_through', `absolute form failed: ${absoluteForm.why}`)
    }
    const isThrough = connect.kind === 'works' || absoluteForm.kind === 'works'
    if (isThrough && seen.exitIp === null) problem('exit_unknown', 'the echo answered without an address in it')
    if (seen.exitIp !== null && seen.exitIp === seen.directIp)
      problem('exit_is_ours', `the exit IP ${seen.exitIp} is the address that this machine has without the proxy`)
    if (isThrough && seen.addedHeaders === null) hint('headers_unknown', 'the echo does not tell headers: `mobilepool echo` does')
  }
  for (const { name, value } of seen.addedHeaders ?? []) {
    if (seen.directIp !== null && value.includes(seen.directIp)) problem('reveals_us', `${name} tells sites our own address`)
    else problem('adds_headers', `sites see a header that we did not send: ${name}`)
  }
  for (const { target, isOpen, why } of seen.targets) if (!isOpen) problem('target_closed', `no tunnel to ${target}: ${why}`)
  return { problems, hints }
}

/**
 * Headers that the echo saw through the proxy and that are of the proxy's making: not sent by us, and not there without the proxy either
 * (an echo behind a CDN or load balancer sees theirs on every request). A header that a proxy changed counts when it did not say so before.
 */
export function addedBy(
  through: Readonly<Record<string, string>>,
  sent: Readonly<Record<string, string>>,
  direct: Readonly<Record<string, string>> | null,
): { name: string; value: string }[] {
  /** Between two hops only; what a proxy makes of them no site can tell from a client's own. */
  const hopByHop = new Set(['host', 'connection', 'keep-alive'])
  return Object.entries(through)
    .filter(([name, value]) => !hopByHop.has(name) && sent[name] !== value && !isOfTheEcho(name, value, direct))
    .map(([name, value]) => ({ name, value }))
}

/** Of headers about the way (`x-forwarded-for`, `via`) the value differs with each sender: the number of hops told must not grow. */
function isOfTheEcho(name: string, value: string, direct: Readonly<Record<string, string>> | null): boolean {
  const before = direct?.[name]
  return before !== undefined && value.split(',').length <= before.split(',').length
}
