/** The forward proxy that `pool.listen()`, the hub's gateway and the agent share. */
export { type AddressClass, classifyAddress } from './address-class.ts'
export {
  type Authenticate,
  type ClientProtocol,
  type Credentials,
  fixedCredentials,
  type ProxyClient,
  type UserShare,
  type Verdict,
} from './authenticate.ts'
export type { ExchangeKind, ExchangeSummary } from './exchange.ts'
export { type Failure, failureOf } from './failure.ts'
export { type AnswerHead, defaultLimits, type ProxyServerLimits, type ProxyServerOptions } from './options.ts'
export { ProxyError, type SetupErrorCode } from './proxy-error.ts'
export type { ProxyCounters } from './registry.ts'
export type { Forward, PlainAnswer, PlainRequest } from './serve.ts'
export { createProxyServer, type ProxyServer } from './server.ts'
export { splice } from './splice.ts'
export { type RefusalCode, type ReplyCode, replyStatuses } from './statuses.ts'
export { authorityOf, type ProxyTarget, parseConnectTarget } from './target.ts'
export { createTargetPolicy, type TargetPolicy, type TargetPolicyOptions } from './target-policy.ts'
export type { ProxyTls } from './tls-front.ts'
export type { Connect, ProxyContext } from './upstream.ts'
