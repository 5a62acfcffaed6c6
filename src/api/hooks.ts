import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Database } from '../db/database.ts'
import type { Doors, Hook } from '../db/doors.ts'
import { createTurns } from '../db/turns.ts'
import { AppError, notFound } from '../errors.ts'
import { aboutSecret } from '../features/triggers/service.ts'
import type { Vault } from '../providers/vault.ts'
import { createWebhookSecret, verifyWebhook } from '../providers/webhooks.ts'
import { TenantContext } from '../tenancy/context.ts'
import type { HookMessage, Route } from '../tenancy/route.ts'
import type { Denials } from './denials.ts'
import { Problem } from './errors.ts'
import { assertText, parseJson } from './json.ts'
import { whenClosed } from './mount.ts'
import { createRates } from './rates.ts'
import type { Shares } from './shares.ts'

export interface HookOptions {
  readonly database: Database
  readonly doors: Pick<Doors, 'openHook' | 'disableOrphan'>
  readonly vault: Pick<Vault, 'open'>
  readonly denials: Pick<Denials, 'add'>
  readonly shares: Shares
  /** Milliseconds since 1970. */
  readonly now: () => number
}

type HookRoute = Extract<Route, { kind: 'hook' }>

export const hookBodyBytes = 256 * 1024
/** A message is there as a whole within this time, or its connection is cut. */
const bodyMs = 10_000
/** Of one webhook in one process, once the signature was right. */
const rate = { perMinute: 300, burst: 100 }
/** Questions to the database that strangers may cause at once. */
const lookupsAtOnce = 2

const SignedHeaders = Type.Object({
  'webhook-id': Type.Optional(Type.String({ description: 'The same at each attempt to send the message.' })),
  'webhook-timestamp': Type.Optional(Type.String({ description: 'Seconds since 1970, within five minutes of now.' })),
  'webhook-signature': Type.Optional(
    Type.String({ description: 'v1,<base64 of the HMAC>; several with spaces between.' }),
  ),
})

/**
 * Mounts the routes without a token in a scope of their own, where a body stays the bytes that were signed. Whatever is
 * wrong before the signature has proven right gets the one answer of a trigger that never existed.
 */
export async function mountHooks(
  app: FastifyInstance,
  routes: readonly HookRoute[],
  options: HookOptions,
): Promise<void> {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  const receive = receiver(options)
  for (const route of routes) {
    const { params, response } = route.schema
    app.route({
      method: route.method,
      url: `/v1${route.path}`,
      bodyLimit: hookBodyBytes,
      schema: {
        summary: route.summary,
        tags: [route.path.split('/')[1] ?? ''],
        security: [],
        consumes: ['application/json'],
        headers: SignedHeaders,
        ...(params ? { params } : {}),
        response: { ...(response ? { [route.status]: response } : {}), default: Problem },
      },
      onRequest: async (request, reply) => takePlace(request, reply, options.shares),
      handler: async (request, reply) => {
        const result = await receive(route, request, reply)
        reply.code(route.status)
        return result
      },
    })
  }
}

/** Before anything of the body is taken in. */
function takePlace(request: FastifyRequest, reply: FastifyReply, shares: Shares): void {
  if (!request.headers['webhook-signature']) throw unknown()
  whenClosed(reply, shares('unchecked messages', 'all'))
  whenClosed(reply, shares('messages to one webhook', triggerOf(request)))
  const cut = setTimeout(() => request.raw.destroy(), bodyMs).unref()
  request.raw.once('end', () => clearTimeout(cut))
  request.raw.once('close', () => clearTimeout(cut))
}

function receiver({ database, doors, vault, denials, shares, now }: HookOptions) {
  // What is checked against it is refused: a message to no webhook takes the same way as any other.
  const decoy = createWebhookSecret()
  const inTurn = createTurns(lookupsAtOnce, bodyMs)
  const counted = createRates(rate, now)

  return async (route: HookRoute, request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const triggerId = triggerOf(request)
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const hook = await inTurn('lookups', () => doors.openHook(triggerId))
    const secrets = await secretsOf(vault, triggerId, hook, request)
    const id = verifyWebhook(secrets.length > 0 ? secrets : [decoy], request.headers, body, new Date(now()))
    if (!hook || id === null) {
      if (hook) denials.add(hook.tenantId, `trigger:${triggerId}`, `POST /v1${route.path}`, 'signature_invalid')
      throw unknown()
    }
    request.log = request.log.child({ tenantId: hook.tenantId, triggerId })
    whenClosed(reply, shares('messages', hook.tenantId))
    counted(triggerId)
    const payload = parseJson(body.toString(), 'the message')
    assertText(payload)
    return await fire(route, hook.tenantId, triggerId, { id, payload })
  }

  async function fire(route: HookRoute, tenantId: string, triggerId: string, message: HookMessage): Promise<unknown> {
    try {
      return await route.handler(TenantContext.openTrigger(database, tenantId, triggerId), { triggerId, message })
    } catch (error) {
      const code = error instanceof AppError ? error.code : undefined
      if (code === 'owner_left') await doors.disableOrphan(tenantId, triggerId)
      if (code === 'owner_left' || code === 'organization_suspended' || code === 'not_found') throw unknown()
      throw error
    }
  }
}

/** The present secret, and the one before as long as it serves. A vault that does not open them is the operator's to know. */
async function secretsOf(
  vault: HookOptions['vault'],
  triggerId: string,
  hook: Hook | null,
  request: FastifyRequest,
): Promise<string[]> {
  if (!hook) return []
  const { tenantId, secret, previous, version } = hook
  const sealed = [{ secret, version }, ...(previous ? [{ secret: previous, version: version - 1 }] : [])]
  try {
    return await Promise.all(sealed.map((one) => vault.open(tenantId, aboutSecret(triggerId, one.version), one.secret)))
  } catch (err) {
    request.log.error({ err, tenantId, triggerId }, 'the secret of a webhook cannot be opened')
    return []
  }
}

function triggerOf({ params }: FastifyRequest): string {
  return (params as { triggerId: string }).triggerId
}

function unknown(): AppError {
  return notFound('webhook')
}
