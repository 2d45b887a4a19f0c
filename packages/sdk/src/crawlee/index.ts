export type { CrawlOptions } from './crawl-options.ts'
export { type CrawleeProxy, type CrawleeProxyInfo, type CrawleeSessionPool, crawleeProxy } from './proxy-configuration.ts'
export type { CrawlLease, LeasingPool } from './session-leases.ts'
