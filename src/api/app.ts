import { randomUUID } from 'node:crypto'
import multipart from '@fastify/multipart'
import Ajv from 'ajv'
import addFormats from 'ajv-formats'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Doors } from '../db/doors.ts'
import { AppError } from '../errors.ts'
import type { Tokens } from '../identity/tokens.ts'
import type { Vault } from '../providers/vault.ts'
import type { Route } from '../tenancy/route.ts'
import { authentication } from './authenticate.ts'
import { serveConsole } from './console.ts'
import { Denials } from './denials.ts'
import { sendProblem, toAppError } from './errors.ts'
import { type HealthChecks, serveHealth } from './health.ts'
import { mountHooks } from './hooks.ts'
import { type MountOptions, mount } from './mount.ts'
import { documentApi } from './openapi.ts'
import { createShares } from './shares.ts'

export interface AppOptions extends Omit<MountOptions, 'authenticate' | 'shares'> {
  readonly vault: Vault
  readonly routes: readonly Route[]
  readonly doors: Doors
  readonly tokens: Tokens
  readonly issuer: string
  readonly health: HealthChecks
  readonly console: { readonly directory: string; readonly keycloakUrl: string; readonly realm: string }
  readonly logger: FastifyBaseLogger | false
}

const refusals = new Set(['forbidden', 'not_found', 'membership_required', 'organization_suspended', 'token_stale'])

/** The whole API as a value: tests inject requests into it, main.ts listens. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const app = Fastify({
    ...(options.logger ? { loggerInstance: options.logger } : { logger: false }),
    genReqId: () => randomUUID(),
    bodyLimit: 1024 * 1024,
    requestTimeout: 300_000,
    connectionTimeout: 0,
    return503OnClosing: true,
    forceCloseConnections: true,
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    frameworkErrors: (error, request, reply) => sendProblem(toAppError(error), request, reply as never),
  }) as unknown as FastifyInstance
  // A simple request of another site's page could send text/plain without asking.
  app.removeContentTypeParser('text/plain')
  setValidators(app)
  for (const name of ['identity', 'tenantId', 'tenant', 'upload'] as const) app.decorateRequest(name, null)
  const denials = new Denials(options.doors, (error) => app.log.error({ err: error }, 'denials not recorded'))
  app.addHook('onClose', () => denials.close())
  app.addHook('onRequest', addHeaders)
  handleErrors(app, denials)
  await app.register(multipart)
  await documentApi(app)
  const authenticate = await authentication(app, { ...options, audience: 'enginex-api' })
  app.setNotFoundHandler((request, reply) => sendProblem(new AppError('not_found', 'no such address'), request, reply))
  const shares = createShares()
  const hooks = options.routes.filter((route) => route.kind === 'hook')
  await app.register((scope) => mountHooks(scope, hooks, { ...options, denials, shares }))
  await app.register(async (scope) => {
    for (const route of options.routes)
      if (route.kind !== 'hook') mount(scope, route, { ...options, authenticate, shares })
  })
  serveHealth(app, options.health, options.now)
  await serveConsole(app, options.console)
  return app
}

/** Bodies are taken as they are; queries and paths, which are always text, are converted. Nothing is removed silently. */
function setValidators(app: FastifyInstance): void {
  const common = { removeAdditional: false, useDefaults: true, allErrors: false, strict: false } as const
  const exact = new Ajv.default({ ...common, coerceTypes: false })
  const converting = new Ajv.default({ ...common, coerceTypes: true })
  addFormats.default(exact)
  addFormats.default(converting)
  app.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === 'body' ? exact : converting).compile(schema as object),
  )
}

async function addHeaders(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' })
  if (!request.url.startsWith('/v1')) return
  reply.headers({
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  })
}

/** Every failure becomes a problem document; what was refused to a member is counted for the tenant. */
function handleErrors(app: FastifyInstance, denials: Denials): void {
  app.setErrorHandler((thrown, request, reply) => {
    const error = toAppError(thrown)
    const { identity, tenantId } = request
    if (tenantId && identity && refusals.has(error.code)) {
      const actor = `${identity.serviceAccount ? 'service-account' : 'user'}:${identity.userId}`
      denials.add(tenantId, actor, `${request.method} ${request.routeOptions.url}`, error.code)
    }
    return sendProblem(error, request, reply)
  })
}
