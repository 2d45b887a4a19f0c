import { banList, banReply, banReport } from '@mobilepool/sdk/contract'
import { HubError, refused } from '../errors.ts'
import { RateLimit } from '../rate-limit.ts'
import { callerOf, needs } from './access.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'
import { banJson } from './wire.ts'

/** Reports of one key, each of up to a hundred bans; a pool sends one a second at most. */
const REPORTS_PER_MINUTE = 600

/** `/api/v1/bans`: which exit IPs which sites have banned, from parser to parser. */
export const banRoutes: Routes = (context) => (app, _options, done) => {
  const { quarantines, now } = context
  const reports = new RateLimit(REPORTS_PER_MINUTE)
  const onRequest = needs(context, 'proxy', 'admin')
  const tags = ['bans']

  app.get(
    '/api/v1/bans',
    { onRequest, schema: { summary: 'Exit IPs that sites have banned', tags, response: { 200: banList, ...problemReplies } } },
    () => ({ bans: quarantines.live.map((record) => banJson(record, now())) }),
  )

  app.post(
    '/api/v1/bans',
    {
      onRequest,
      schema: {
        summary: 'Report bans that were confirmed, or lifted (lasts_ms 0); listeners are told by the event "quarantine"',
        tags,
        body: banReport,
        response: { 200: banReply, ...problemReplies },
      },
    },
    async (request) => {
      const waitMs = reports.take(callerOf(request)?.keyId ?? '', now())
      if (waitMs > 0)
        throw new HubError('too_many_requests', `This key reports bans more than ${REPORTS_PER_MINUTE} times a minute.`, {
          retryAfter: Math.ceil(waitMs / 1000),
        })
      const { reporter, bans } = request.body
      const reported = bans.map(({ exit_ip: exitIp, site, lasts_ms: lastsMs, rule }) => ({
        exitIp,
        site: site.toLowerCase(),
        lastsMs,
        rule,
      }))
      const result = await quarantines.report(reporter, reported)
      if ('code' in result) throw refused(result)
      return result
    },
  )
  done()
}
