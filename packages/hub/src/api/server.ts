import { createServer } from 'node:https'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyServerFactory,
  LogController,
} from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { keepOutAbusers } from './abuse-hook.ts'
import { agentRoutes } from './agents.ts'
import { alertChannelRoutes } from './alert-channels.ts'
import { alertRoutes } from './alerts.ts'
import { allowedMethods } from './allowed-methods.ts'
import { auditRoutes } from './audit.ts'
import { recordChanges } from './audit-hook.ts'
import { authRoutes } from './auth.ts'
import { banRoutes } from './bans.ts'
import { blockRoutes } from './blocks.ts'
import { configRoutes } from './config.ts'
import type { ApiContext, Routes } from './context.ts'
import { deviceIpRoutes } from './device-ips.ts'
import { deviceTransferRoutes } from './device-transfer.ts'
import { deviceRoutes } from './devices.ts'
import { eventRoutes } from './events.ts'
import { healthRoutes } from './health.ts'
import { heartbeatRoutes } from './heartbeat.ts'
import { keyRoutes } from './keys.ts'
import { metricsRoutes, observeAnswer } from './metrics.ts'
import { registerOpenApi } from './openapi.ts'
import { page } from './page.ts'
import { handleError, sendProblem } from './problem.ts'
import { proxyRoutes } from './proxy.ts'
import { keepQuotas } from './quota-hook.ts'
import { rotationLinkRoutes } from './rotation-links.ts'
import { rotationRoutes } from './rotations.ts'
import { apiHeaders } from './security-headers.ts'
import { statsRoutes } from './stats.ts'
import { statsDeviceRoutes } from './stats-devices.ts'
import { statsExportRoutes } from './stats-export.ts'
import { statsRequestRoutes } from './stats-requests.ts'
import { statusRoutes } from './status.ts'
import type { TlsContext } from './tls.ts'
import { tunnelRoutes } from './tunnel.ts'
import { routeUpgrades } from './upgrades.ts'
import { usageRoutes } from './usage.ts'
import { useRotationLinkRoutes } from './use-rotation-link.ts'
import { userRoutes } from './users.ts'

/** Bodies here are a few hundred bytes. */
const BODY_LIMIT_BYTES = 64 * 1024
/** A whole request must have arrived by then; replies (event streams, long polls) may take longer. */
const REQUEST_TIMEOUT_MS = 30_000
/** Longer than the minute of a crontab line, so that a proxy in front keeps its connections. */
const KEEP_ALIVE_MS = 75_000
/** A name of 100 characters, percent-encoded. */
const MAX_PARAM_LENGTH = 1_200

/** What devices and monitors ask: without the browsers' headers, which a metered SIM would pay for with every heartbeat. */
const leanResources: readonly Routes[] = [heartbeatRoutes, healthRoutes, agentRoutes, tunnelRoutes]

const resources: readonly Routes[] = [
  statusRoutes,
  metricsRoutes,
  deviceRoutes,
  deviceIpRoutes,
  deviceTransferRoutes,
  proxyRoutes,
  rotationRoutes,
  rotationLinkRoutes,
  useRotationLinkRoutes,
  eventRoutes,
  userRoutes,
  keyRoutes,
  auditRoutes,
  blockRoutes,
  configRoutes,
  usageRoutes,
  statsRoutes,
  statsDeviceRoutes,
  statsRequestRoutes,
  statsExportRoutes,
  banRoutes,
  alertRoutes,
  alertChannelRoutes,
]

/** The HTTP face of the hub: not listening yet. */
export async function buildApi(
  context: ApiContext,
  about: { version: string; pageFolder: string | null; certificate: TlsContext | null },
): Promise<FastifyInstance> {
  const { config, log, newId } = context
  const app = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: newId,
    // A logger for each request costs more than the few lines that are logged: those name the request themselves.
    childLoggerFactory: (logger) => logger,
    trustProxy: config.trustProxy.length === 0 ? false : config.trustProxy,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    ...(about.certificate === null ? {} : { serverFactory: tlsServer(about.certificate) }),
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler(handleError)
  const methodsOf = allowedMethods(app)
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request.url)
    const methods = methodsOf(path)
    if (methods.length === 0)
      return sendProblem(request, reply, {
        code: 'not_found',
        detail: `There is no ${request.method} ${path}; the API is described at /openapi.json.`,
      })
    reply.header('allow', methods.join(', '))
    return sendProblem(request, reply, {
      code: 'method_not_allowed',
      detail: `${path} takes ${methods.join(', ')}, not ${request.method}.`,
    })
  })
  takeJson(app)
  // Callbacks instead of promises: every heartbeat passes here.
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    // The path only: a query may hold a key.
    const { method, url, id } = request
    const route = request.routeOptions.url ?? 'none'
    observeAnswer(context, { route, method, status: reply.statusCode, ms: reply.elapsedTime })
    if (log.isLevelEnabled('trace')) {
      // A rotation link's path is its credential.
      const path = route.includes(':secret') ? route : pathOf(url)
      request.log.trace({ request: id, method, path, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'answered')
    }
    done()
  })
  keepOutAbusers(app, context)
  keepQuotas(app, context)
  recordChanges(app, context)
  if (config.corsOrigins.length > 0)
    await app.register(cors, {
      origin: config.corsOrigins.includes('*') ? '*' : config.corsOrigins,
      methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      allowedHeaders: ['authorization', 'content-type', 'last-event-id', 'x-api-key'],
      exposedHeaders: ['ratelimit', 'ratelimit-policy', 'retry-after', 'x-request-id'],
      maxAge: 600,
    })
  await registerOpenApi(app, about.version)
  const isTls = about.certificate !== null
  for (const routes of leanResources) await app.register(routes(context))
  await app.register(api(context, isTls))
  await app.register(page(about.pageFolder, isTls))
  routeUpgrades(app)
  return app
}

/** What browsers ask, too. */
const api =
  (context: ApiContext, isTls: boolean): FastifyPluginAsync =>
  async (app) => {
    await app.register(helmet, apiHeaders(isTls))
    await app.register(authRoutes(context))
    for (const routes of resources) await app.register(routes(context))
  }

/** An https server with the limits that Fastify gives its own. */
const tlsServer =
  (certificate: TlsContext): FastifyServerFactory =>
  (handler) => {
    const server = createServer(certificate, handler)
    server.requestTimeout = REQUEST_TIMEOUT_MS
    server.keepAliveTimeout = KEEP_ALIVE_MS
    return server
  }

const pathOf = (url: string): string => url.split('?', 1)[0] ?? url

/** JSON only; `Content-Type: application/json` with nothing after it is no body, not a broken one. */
function takeJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body: string, done) => {
    if (body === '') done(null, undefined)
    else void parse(request, body, done)
  })
}
