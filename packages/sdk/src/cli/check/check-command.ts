import { Command } from 'commander'
import PQueue from 'p-queue'
import { toSnake } from '../../contract/index.ts'
import { collect, EXIT, UsageError, webUrl, wholeNumber } from '../usage.ts'
import { askDirectly, type CheckSettings, checkProxy } from './check-proxy.ts'
import { type ListedProxy, readProxyList } from './proxy-list.ts'
import { renderTable } from './render-table.ts'
import { judgeProxy } from './verdict.ts'

interface Flags {
  from?: string
  echo?: URL
  direct: boolean
  connectTo?: string[]
  timeout: number
  parallel: number
  json?: true
}

const EXAMPLES = `
Without --echo it is checked whether each proxy can be reached and takes the credentials; its exit IP, headers and speed are not.
An echo is any URL that answers with the address it sees, as text or JSON, e.g. a hub's http://HUB:3001/api/v1/echo. One that tells
headers as well is on a machine of yours with: npx @mobilepool/sdk echo --host 0.0.0.0 --port 8099. No service is asked that you do not name.

Exit code: 0 all proxies are fine, 1 some are not, 2 the command line is wrong.

Examples:
  mobilepool check http://user:password@10.0.0.5:8080
  mobilepool check --from proxies.txt --echo http://my-server:8099/ --json
  mobilepool check socks5://10.0.0.5:1080 --connect-to example.com:443 --connect-to example.com:8443`

/** `mobilepool check`: looks at proxies before a pool relies on them. */
export const checkCommand = (): Command =>
  new Command('check')
    .summary('look at proxies: reachable? exit IP? latency? leaks?')
    .description('Checks proxies: reachable, credentials, exit IP, latency, CONNECT and absolute form, headers that give the proxy away.')
    .argument('[proxy...]', 'proxy URLs: http://, https:// or socks5://, with user:password@ where needed')
    .option('--from <file>', 'read more proxies from a file, one URL a line; - is standard input')
    .option('--echo <url>', 'an echo that answers with the address it sees', webUrl)
    .option('--no-direct', 'do not ask the echo without a proxy; then a proxy that goes out by our own address is not noticed')
    .option('--connect-to <host:port>', 'also try a tunnel to this target; may be repeated', collect)
    .option('--timeout <ms>', 'for each step of a check', wholeNumber(1, 600_000), 10_000)
    .option('--parallel <n>', 'proxies checked at the same time', wholeNumber(1, 256), 16)
    .option('--json', 'one JSON object instead of a table')
    .addHelpText('after', EXAMPLES)
    .action(async (urls: string[], flags: Flags) => {
      process.exitCode = await check(await readProxyList(urls, flags.from, process.stdin), flags)
    })

async function check(proxies: readonly ListedProxy[], flags: Flags): Promise<number> {
  const echo = flags.echo ?? null
  const targets = (flags.connectTo ?? []).map(readTarget)
  const direct = echo !== null && flags.direct ? await askDirectly(echo, flags.timeout) : null
  const settings: CheckSettings = { echo, direct, targets, timeoutMs: flags.timeout }

  const queue = new PQueue({ concurrency: flags.parallel })
  const reports = await queue.addAll(
    proxies.map((proxy) => async () => {
      const seen = await checkProxy(proxy, settings)
      const { protocol, username, password } = new URL(proxy.url)
      const hasCredentials = username !== '' || password !== ''
      return { seen, verdict: judgeProxy(seen, { echo, isSocks: protocol.startsWith('socks'), hasCredentials }) }
    }),
  )

  const isFine = reports.every(({ verdict }) => verdict.problems.length === 0)
  if (flags.json) {
    const list = reports.map(({ seen, verdict }) => ({ ok: verdict.problems.length === 0, ...seen, ...verdict }))
    process.stdout.write(
      `${JSON.stringify(toSnake({ ok: isFine, echo: echo?.href ?? null, directIp: direct?.ip ?? null, proxies: list }), null, 2)}\n`,
    )
  } else {
    process.stdout.write(renderTable(reports))
    if (echo === null) process.stdout.write('\nNot checked without --echo: exit IP, headers, latency through the proxy, absolute form.\n')
    else if (flags.direct && direct === null)
      process.stdout.write(`\nThe echo did not answer us directly, so nobody was compared with our own address.\n`)
  }
  return isFine ? EXIT.fine : EXIT.notFine
}

/** `example.com:443`, `[2001:db8::1]:443`. */
function readTarget(text: string): { hostname: string; port: number } {
  const [, hostname = '', port = ''] = /^(\[[0-9a-f:.]+\]|[^\s:/@]+):(\d{1,5})$/i.exec(text) ?? []
  if (hostname === '' || Number(port) < 1 || Number(port) > 65_535)
    throw new UsageError(`--connect-to ${text}: it must be host:port, like example.com:443`)
  return { hostname: hostname.replace(/^\[|\]$/g, ''), port: Number(port) }
}
