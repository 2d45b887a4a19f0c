import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { jsonSchemaTransform } from 'fastify-type-provider-zod'
import type { OpenAPIV3, OpenAPIV3_1 } from 'openapi-types'
import { securityOf } from './route-access.ts'

/**
 * Of the readable description only: Swagger UI writes styles into its elements. Unlike the plugin's own policy it does not turn
 * http into https: a farm's hub is reached by http on a private address.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Collects the routes' schemas and serves them as OpenAPI 3.1 at `/openapi.json`, to read and to try at `/docs`. */
export async function registerOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'MobilePool hub', version, description: 'Your own 4G/5G devices as a proxy pool: heartbeats, devices, rotations.' },
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer' }, apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' } },
      },
    },
    transform: (route) => {
      const { schema, url } = jsonSchemaTransform(route)
      return { schema: { ...schema, security: securityOf(route.route.onRequest) }, url }
    },
    transformObject: (document) => ('openapiObject' in document ? describeProblems(document.openapiObject) : document.swaggerObject),
  })
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: POLICY,
    theme: { title: 'MobilePool hub: API', css: [{ filename: 'theme.css', content: '.swagger-ui .topbar { display: none }' }] },
    uiConfig: { docExpansion: 'list', defaultModelsExpandDepth: -1, persistAuthorization: false, validatorUrl: null },
  })
}

/** Problems are one shape, described once, under the type with which they are sent. */
function describeProblems(document: Partial<OpenAPIV3.Document | OpenAPIV3_1.Document>): Partial<OpenAPIV3_1.Document> {
  const { paths = {}, components } = document as Partial<OpenAPIV3_1.Document>
  const responses: Record<string, OpenAPIV3_1.ResponseObject> = {}
  const described = Object.entries(paths).map(([path, methods = {}]) => {
    const operations = Object.entries(methods).map(([method, operation]) => {
      const { responses: own = {}, ...rest } = operation as OpenAPIV3_1.OperationObject
      const renamed = Object.entries(own).map(([status, response]) => {
        if (!/^[45]XX$/.test(status) || '$ref' in response) return [status, response]
        const name = status === '4XX' ? 'refused' : 'failed'
        const { schema } = response.content?.['application/json'] ?? {}
        responses[name] ??= { description: PROBLEMS[name], content: { 'application/problem+json': schema === undefined ? {} : { schema } } }
        return [status, { $ref: `#/components/responses/${name}` }]
      })
      return [method, { ...rest, responses: Object.fromEntries(renamed) }]
    })
    return [path, Object.fromEntries(operations)]
  })
  return { ...(document as Partial<OpenAPIV3_1.Document>), paths: Object.fromEntries(described), components: { ...components, responses } }
}

const PROBLEMS = {
  refused: 'The request is refused: a problem document (RFC 9457) whose `code` says why.',
  failed: 'The hub could not answer: a problem document (RFC 9457) whose `code` says why.',
} as const
