import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import helmet from '@fastify/helmet'
import fastifyStatic from '@fastify/static'
import type { FastifyPluginAsync } from 'fastify'
import { pageHeaders } from './security-headers.ts'

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
  (folder: string | null, isTls: boolean): FastifyPluginAsync =>
  async (app) => {
    await app.register(helmet, pageHeaders(isTls))
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
