/** The agent, for embedding: one device's proxy, heartbeats and rotations. */
export { type Agent, type AgentInfo, type AgentTools, createAgent } from './agent.ts'
export type { Clock } from './clock.ts'
export type { AgentConfigInput } from './config.ts'
export type { AgentStatus } from './control/status.ts'
export { AgentError, type AgentErrorCode } from './errors.ts'
