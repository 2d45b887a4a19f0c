import type { Variable } from '../config-sources.ts'
import { number, yesNo } from './readers.ts'

/** Variables of `statisticsOptions`, in the order of the help. */
export const statisticsVariables: readonly Variable[] = [
  { option: 'logRetentionDays', env: ['LOG_RETENTION_DAYS'], read: number, help: 'days that the request log is kept (30)' },
  { option: 'metricsRetentionDays', env: ['METRICS_RETENTION_DAYS'], read: number, help: 'days that statistics are kept, 32 or more (90)' },
  {
    option: 'ipHistoryRetentionDays',
    env: ['IP_HISTORY_RETENTION_DAYS'],
    read: number,
    help: 'days that former addresses of devices are remembered (365)',
  },
  {
    option: 'logQueryStrings',
    env: ['LOG_QUERY_STRINGS'],
    read: yesNo,
    help: 'keep the queries of targets in the log: true or false (false)',
  },
]
