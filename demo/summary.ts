/** The live terminal picture: redrawn in place on a terminal, every few seconds line by line elsewhere. */
import { styleText } from 'node:util'
import type { StatusReplyJson } from '@mobilepool/sdk/contract'
import type { Tally } from './parser.ts'
import type { TargetSite } from './target-site.ts'

const redrawMs = 500
const printMs = 5000

export interface Picture {
  startedAt: number
  tally: Tally
  target: Pick<TargetSite, 'bans'>
  status: StatusReplyJson | null
  notices: readonly string[]
}

export interface LiveSummary {
  stop(): void
}

export function showLive(look: () => Picture, out: NodeJS.WriteStream): LiveSummary {
  let drawnLines = 0
  const draw = () => {
    const lines = paint(look(), Date.now(), out.isTTY ? out.columns : undefined)
    if (drawnLines > 0) out.write(`\x1b[${drawnLines}F\x1b[0J`) // up to where the picture began, clear from there
    out.write(`${lines.join('\n')}\n`)
    drawnLines = out.isTTY ? lines.length : 0
  }
  const timer = setInterval(draw, out.isTTY ? redrawMs : printMs)
  return {
    stop: () => {
      clearInterval(timer)
      draw()
    },
  }
}

/** Together they fit into a terminal of 80 columns. */
const columns = [
  ['device', 12],
  ['status', 9],
  ['exit IP', 12],
  ['answers', 8],
  ['rotations', 10],
  ['last rotation', 0],
] as const

/** The picture as lines of text, none longer than `width`: a line that the terminal wraps would be two to redraw. */
export function paint({ startedAt, tally, target, status, notices }: Picture, now: number, width = Number.POSITIVE_INFINITY): string[] {
  const cut = (line: string): string => line.trimEnd().slice(0, width)
  const seconds = Math.round((now - startedAt) / 1000)
  const settled = tally.settled.size
  const rate = settled === 0 ? '-' : `${((100 * tally.answered) / settled).toFixed(1)} %`
  const header = columns.map(([title, width]) => title.padEnd(width)).join('')
  const rows = (status?.proxies ?? []).map((device) => {
    const { changed, unchanged, failed } = device.rotations
    const cells = [
      device.name,
      device.status,
      device.remote_ip ?? '-',
      String(tally.byDevice.get(device.name) ?? 0),
      String(changed + unchanged + failed),
      device.last_rotation
        ? `${device.last_rotation.outcome} by ${device.last_rotation.trigger} in ${(device.last_rotation.duration_ms / 1000).toFixed(1)} s`
        : '-',
    ]
    return cells.map((cell, index) => cell.padEnd(columns[index]?.[1] ?? 0)).join('')
  })
  return [
    '',
    cut(`${seconds} s   ${settled} requests   success ${rate}   ${tally.exitIps.size} exit IPs   the site banned ${target.bans} times`),
    styleText('dim', cut(header)),
    ...rows.map(cut),
    ...notices.slice(-3).map((notice) => styleText('yellow', cut(notice))),
  ]
}
