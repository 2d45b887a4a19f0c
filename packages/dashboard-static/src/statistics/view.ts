/** What the statistics show; kept in the address. */
export interface StatisticsView {
  readonly period: (typeof periods)[number]
  readonly by: (typeof groupings)[number]
}

export const periods = ['1h', '24h', '7d', '30d', '90d'] as const
export const groupings = ['device', 'operator', 'region', 'type'] as const
const USUAL: StatisticsView = { period: '24h', by: 'device' }

/** Reads `?period=7d&by=operator`; what is not known is as usual. */
export const viewFromParams = (params: URLSearchParams): StatisticsView => ({
  period: periods.find((period) => period === params.get('period')) ?? USUAL.period,
  by: groupings.find((by) => by === params.get('by')) ?? USUAL.by,
})

/** Leaves out what is as usual. */
export const viewToParams = ({ period, by }: StatisticsView): URLSearchParams =>
  new URLSearchParams([...(period === USUAL.period ? [] : [['period', period]]), ...(by === USUAL.by ? [] : [['by', by]])] as [
    string,
    string,
  ][])
