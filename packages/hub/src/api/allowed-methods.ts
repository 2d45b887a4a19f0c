import type { FastifyInstance } from 'fastify'

/**
 * Which methods a path takes, for those who come with another one (RFC 9110, 15.5.6). To be asked once the routes are registered;
 * a path of the page (a wildcard) takes none of the API's.
 */
export function allowedMethods(app: FastifyInstance): (path: string) => string[] {
  const routes: { path: RegExp; methods: string[] }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    if (url.includes('*')) return
    routes.push({ path: patternOf(url), methods: [method].flat() })
  })
  return (path) => [...new Set(routes.filter((route) => route.path.test(path)).flatMap(({ methods }) => methods))].toSorted()
}

/** `/devices/:id/rotate` as an expression; everything but parameters is literal. */
const patternOf = (url: string): RegExp =>
  new RegExp(
    `^${url
      .split('/')
      .map((part) => (part.startsWith(':') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
      .join('/')}$`,
  )
