import type { preValidationAsyncHookHandler } from 'fastify'

/** For bodies in which everything may be left out: no body at all is an empty one. */
export const emptyBodyIsObject: preValidationAsyncHookHandler = async (request) => {
  request.body ??= {}
}
