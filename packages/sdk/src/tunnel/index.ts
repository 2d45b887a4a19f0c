/** What the hub's half of the reverse tunnel and the agent's have in common: HTTP/2 over a connection that the agent dialled. */
export { guardSession } from './guard-session.ts'
export { JsonLines } from './json-lines.ts'
export { FlowWindow, sessionOptions } from './session-options.ts'
export { TunnelStream } from './tunnel-stream.ts'
