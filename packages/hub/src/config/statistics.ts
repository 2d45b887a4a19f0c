import { z } from 'zod'
import { wholeNumber } from './fields.ts'

/** What is kept of requests, and for how long. */
export const statisticsOptions = {
  /** Days that the request log is kept; whole days (UTC) are dropped. The specification's 30. */
  logRetentionDays: wholeNumber(1, 3_650).default(30),
  /** Days that sums are kept; at least a data plan's month. The specification's 90. */
  metricsRetentionDays: wholeNumber(32, 3_650).default(90),
  /** Days that addresses of devices are remembered after they ended: as far back an address is known again. */
  ipHistoryRetentionDays: wholeNumber(1, 3_650).default(365),
  /** Whether queries of targets are kept in the log. They hold tokens and what people searched for. */
  logQueryStrings: z.boolean({ error: 'must be true or false' }).default(false),
}
