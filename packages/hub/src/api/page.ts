import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyPluginAsync } from 'fastify'

/** No upgrade-insecure-requests and no HSTS: a farm's hub is reached by http on a private address, and the page would stay blank. */
const HEADERS = {
  'content-security-policy': "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

/** Where the built page lies; null when it is not installed or not built. */
export function pageFolder(): string | null {
  try {
    const folder = join(dirname(createRequire(import.meta.url).resolve('@mobilepool/dashboard-static/package.json')), 'dist')
    return existsSync(join(folder, 'index.html')) ? folder : null
  } catch {
    return null
  }
}

/** The page at `/`, or a text that says why it is not there. */
export const page =
  (folder: string | null): FastifyPluginAsync =>
  async (app) => {
    app.addHook('onSend', async (_request, reply) => {
      reply.headers(HEADERS)
    })
    if (folder === null) {
      app.get('/', { schema: { hide: true } }, (_request, reply) =>
        reply
          .type('text/plain; charset=utf-8')
          .send(
            'MobilePool hub. The page is not built: run "npm run build -w packages/dashboard-static". The API is at /api/v1, the fleet at /status.\n',
          ),
      )
      return
    }
    await app.register(fastifyStatic, { root: folder, schemaHide: true })
  }
