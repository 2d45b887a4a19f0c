export { type CrawleeProxy, type CrawleeProxyInfo, type CrawleeSessionPool, crawleeProxy } from './proxy-configuration.ts'
export type { LeasingPool, SessionLease, SessionLeaseOptions } from './session-leases.ts'
