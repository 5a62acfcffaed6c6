import swagger from '@fastify/swagger'
import type { FastifyInstance, FastifySchema } from 'fastify'

/** What is read as it comes, without a schema that would check it: files as parts of a form, or any JSON. */
const bodies: Readonly<Record<string, object>> = {
  'multipart/form-data': { type: 'object', additionalProperties: { type: 'string', format: 'binary' } },
  'application/json': { description: 'Any JSON.' },
}

function withBody(schema: FastifySchema): FastifySchema {
  const { consumes: [type = ''] = [] } = schema as { consumes?: readonly string[] }
  return schema.body === undefined && bodies[type] ? { ...schema, body: bodies[type] } : schema
}

/** Makes the OpenAPI 3.1 document out of the routes' schemas and serves it at /v1/openapi.json. */
export async function documentApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    transform: ({ schema, url }) => ({ schema: withBody(schema), url }),
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
