/** The contract: zod schemas of every JSON the hub speaks. Hub, agent, SDK and dashboard import them from here. */
export * from './agent.ts'
export * from './case.ts'
export * from './device.ts'
export * from './events.ts'
export * from './heartbeat.ts'
export * from './names.ts'
export * from './problem.ts'
export * from './rotation.ts'
