import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'

/** Makes the OpenAPI 3.1 document out of the routes' schemas and serves it at /v1/openapi.json. */
export async function documentApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'EngineX',
        version: '1',
        description:
          'The organization claim of the bearer token decides the tenant; nothing in a request can. Failures are problem documents (RFC 9457).',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    },
  })
  app.get('/v1/openapi.json', { schema: { hide: true } } as never, async () => app.swagger())
}
