/** What the hub's gateway is made of: the pool core behind a proxy server, its devices from the hub itself. */
export { TUNNEL_URL } from '../dispatch/endpoint.ts'
export type { RotationResult } from '../events.ts'
export type { DeviceRecord, DeviceSource, SourceListener } from '../sources/device-source.ts'
export type { AttemptRecord } from '../telemetry/channels.ts'
export { openPoolFront, type PoolFront, type PoolFrontOptions, type PoolFrontParts, type Wish, type WishOptions } from './pool-front.ts'
