// Crawlee 3. Run: MOBILEPOOL_DEVICES=http://user:pass@10.0.0.5:8080,http://10.0.0.6:8080 node examples/crawlee.mjs https://example.com
import { Configuration, HttpCrawler, ProxyConfiguration } from '@crawlee/http'
import { MobilePool } from '@mobilepool/sdk'
import { crawleeProxy } from '@mobilepool/sdk/crawlee'

const pool = new MobilePool({ devices: (process.env.MOBILEPOOL_DEVICES ?? '').split(',') })
const proxy = crawleeProxy(pool) // each Crawlee session: one device, one exit IP

const options = {
  proxyConfiguration: new ProxyConfiguration({ newUrlFunction: proxy.newUrlFunction }),
  useSessionPool: true,
  persistCookiesPerSession: true,
  // A session that Crawlee retires gives its device up; one whose device rotates is retired.
  preNavigationHooks: [({ crawler }) => proxy.follow(crawler.sessionPool)],
  requestHandler: ({ request, session, body }) => console.log(`page: ${request.url} by ${session.id}: ${body}`),
  errorHandler: ({ request, proxyInfo }, error) => {
    // Over https the pool sees no answers: it is told, and no session begins on that exit IP for a while.
    if (request.url.startsWith('https:') && error.message.startsWith('Request blocked'))
      proxy.report(proxyInfo, { banned: true, site: request.url })
  },
}
await new HttpCrawler(options, new Configuration({ persistStorage: false })).run(process.argv.slice(2))
await proxy.close()
await pool.close()
