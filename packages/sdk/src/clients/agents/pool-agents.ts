import type { ClientRequest, Agent as HttpAgent } from 'node:http'
import https from 'node:https'
import { AgentCarrier, type AgentRequestOptions, type AgentSettings, type OpensPath } from './agent-carrier.ts'

// An ESM `import` of node:http reads all of its exports, lazy ones too: on Node 24 that loads the built-in undici, which installs a
// global dispatcher. Importing us leaves that to the program.
const http = process.getBuiltinModule('node:http')

/** The two agents of a pool or of a view of it. */
export interface PoolAgents {
  readonly http: HttpAgent
  readonly https: https.Agent
}

/** Makes agents whose requests go through the pool's devices. They are real agents of Node: got, axios, node-fetch and `ws` take them. */
export const createPoolAgents = (openPath: OpensPath, settings: AgentSettings): PoolAgents => ({
  http: new PoolHttpAgent(new AgentCarrier(openPath, settings)),
  https: new PoolHttpsAgent(new AgentCarrier(openPath, settings)),
})

/** Called by Node for each request: the way of an agent's own that its documentation leaves open, and its types do not know. */
interface AddsRequests {
  addRequest(request: ClientRequest, options: AgentRequestOptions): void
}

class PoolHttpAgent extends http.Agent implements AddsRequests {
  readonly #carrier: AgentCarrier

  constructor(carrier: AgentCarrier) {
    super({ keepAlive: true })
    this.#carrier = carrier
  }

  addRequest(request: ClientRequest, options: AgentRequestOptions): void {
    this.#carrier.carry(request, options, false, `http ${options.host}:${options.port}`)
  }

  override destroy(): void {
    this.#carrier.destroy()
    super.destroy()
  }
}

class PoolHttpsAgent extends https.Agent implements AddsRequests {
  readonly #carrier: AgentCarrier

  constructor(carrier: AgentCarrier) {
    super({ keepAlive: true })
    this.#carrier = carrier
  }

  addRequest(request: ClientRequest, options: AgentRequestOptions): void {
    // By the Host header, as in Node's own agent: whoever connects to an address by a name of its own wants that name's certificate.
    const servername = options.servername ?? hostNameOf(request)
    const named = servername === undefined ? options : { ...options, servername }
    // Node's own name for what may share a connection: host, port and all TLS options.
    this.#carrier.carry(request, named, true, `https ${this.getName(named as https.RequestOptions)}`)
  }

  override destroy(): void {
    this.#carrier.destroy()
    super.destroy()
  }
}

/** The name in the Host header; undefined when it is an address. */
function hostNameOf(request: ClientRequest): string | undefined {
  const host = String(request.getHeader('host') ?? '')
  const name = host.startsWith('[') ? '' : (host.split(':', 1)[0] ?? '')
  return name === '' || /^[\d.]+$/.test(name) ? undefined : name
}
