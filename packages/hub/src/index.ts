/** The hub as a library: `createHub()` starts one in this process. The command is `mobilepool-hub`. */
export type { HubOptions } from './config.ts'
export { HubError, type ProblemExtras, type StartCode } from './errors.ts'
export { createHub, type Hub, type HubParts } from './hub.ts'
