/** Which log is shown, and of what; kept in the address. Empty: of everything. */
export interface LogView {
  readonly of: (typeof logs)[number]
  readonly device: string
  readonly site: string
  readonly outcome: string
}

export const logs = ['requests', 'rotations', 'addresses', 'audit'] as const

/** Which filters each log has. */
export const filtersOf: Readonly<Record<LogView['of'], readonly ('device' | 'site' | 'outcome')[]>> = {
  requests: ['device', 'site', 'outcome'],
  rotations: ['device'],
  addresses: ['device'],
  audit: [],
}

/** Reads `?of=rotations&device=seoul-01`. */
export const logViewFromParams = (params: URLSearchParams): LogView => ({
  of: logs.find((log) => log === params.get('of')) ?? 'requests',
  device: params.get('device') ?? '',
  site: params.get('site') ?? '',
  outcome: params.get('outcome') ?? '',
})

/** Leaves out what is as usual. */
export const logViewToParams = ({ of, ...filters }: LogView): URLSearchParams =>
  new URLSearchParams([...(of === 'requests' ? [] : [['of', of]]), ...Object.entries(filters).filter(([, text]) => text !== '')] as [
    string,
    string,
  ][])

const places: Readonly<Record<LogView['of'], string>> = {
  requests: 'api/v1/stats/requests?period=30d',
  rotations: 'api/v1/rotations?',
  addresses: 'api/v1/stats/ips?period=30d',
  audit: 'api/v1/audit?',
}

/** What to ask the hub for. */
export function logPath(view: LogView): string {
  const filters = filtersOf[view.of].flatMap((name) =>
    view[name].trim() === '' ? [] : [`&${name}=${encodeURIComponent(view[name].trim())}`],
  )
  return `${places[view.of]}&limit=100${filters.join('')}`.replace('?&', '?')
}
