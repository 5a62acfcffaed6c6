import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Database } from '../db/database.ts'
import type { Notifications } from '../db/notifications.ts'
import { AppError } from '../errors.ts'
import type { Identity } from '../identity/tokens.ts'
import { TenantContext } from '../tenancy/context.ts'
import type { Download, Person, Route, ServerEvent } from '../tenancy/route.ts'
import type { Admission } from './admission.ts'
import { Problem } from './errors.ts'
import { assertText } from './json.ts'
import type { Shares } from './shares.ts'
import { openControl, sendStream } from './streams.ts'
import { readUpload, type Upload } from './uploads.ts'

declare module 'fastify' {
  interface FastifyRequest {
    identity: Identity | null
    /** Known before the permission is, so that a refusal belongs to its tenant. */
    tenantId: string | null
    tenant: TenantContext<never> | null
    upload: Upload | null
  }
}

export interface MountOptions {
  readonly database: Database
  readonly notifications: Notifications
  readonly admission: Admission
  readonly authenticate: (request: FastifyRequest) => Promise<Identity>
  readonly shares: Shares
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** A route for somebody who brings a token. */
type PersonalRoute = Exclude<Route, { kind: 'hook' }>

/** Mounts a route value under /v1: who may, what comes in, what goes out. */
export function mount(app: FastifyInstance, route: PersonalRoute, options: MountOptions): void {
  const { params, headers, query, body, response } = route.schema
  app.route({
    method: route.method,
    url: `/v1${route.path}`,
    schema: {
      summary: route.summary,
      tags: [route.path.split('/')[1] ?? ''],
      security: [{ bearer: [] }],
      ...(route.upload
        ? { consumes: body ? ['application/json', 'multipart/form-data'] : ['multipart/form-data'] }
        : {}),
      ...(route.answers === 'download' ? { produces: ['application/octet-stream'] } : {}),
      ...(route.answers === 'stream' ? { produces: ['text/event-stream'] } : {}),
      ...(params ? { params } : {}),
      ...(headers ? { headers } : {}),
      ...(query ? { querystring: query } : {}),
      ...(body ? { body } : {}),
      response: { ...(response ? { [route.status]: response } : {}), default: Problem },
    },
    onRequest: (request, reply) => admit(request, reply, route, options),
    ...(route.method === 'GET'
      ? {}
      : {
          preValidation: (request: FastifyRequest, reply: FastifyReply) =>
            takeBody(request, reply, route, options.shares),
        }),
    ...(route.upload ? { onResponse: async (request: FastifyRequest) => await request.upload?.discard() } : {}),
    handler: (request, reply) => answer(request, reply, route, options),
  })
}

async function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  route: PersonalRoute,
  options: MountOptions,
): Promise<void> {
  const identity = await options.authenticate(request)
  request.identity = identity
  if (route.kind === 'platform' && !identity.platformAdmin)
    throw new AppError('forbidden', 'this is for platform admins')
  if (route.kind !== 'tenant') {
    whenClosed(reply, options.shares('own', identity.userId))
    return await options.admission.assertFresh(identity)
  }
  const { tenantId, roles } = await options.admission.open(identity)
  const member = { userId: identity.userId, issuedAt: new Date(identity.issuedAt * 1000).toISOString(), roles }
  request.log = request.log.child({ tenantId })
  request.tenantId = tenantId
  request.tenant = TenantContext.open(options.database, tenantId, member, route.permission)
  if (route.answers !== 'stream') return whenClosed(reply, options.shares('requests', tenantId))
  whenClosed(reply, options.shares('streams of one person', `${tenantId} ${identity.userId}`))
  whenClosed(reply, options.shares('streams', tenantId))
}

/** At once when the client has left while it was asked who it is. */
export function whenClosed({ raw }: FastifyReply, leave: () => void): void {
  if (raw.closed) leave()
  else raw.once('close', leave)
}

async function takeBody(
  request: FastifyRequest,
  reply: FastifyReply,
  route: PersonalRoute,
  shares: Shares,
): Promise<void> {
  if (request.isMultipart()) {
    if (!route.upload) throw new AppError('unsupported_media_type', 'send application/json')
    await request.tenant!.prove()
    whenClosed(reply, shares('uploads', request.tenantId!))
    request.upload = await readUpload(request, route.upload)
    request.body = request.upload.request
  } else if (route.upload && !route.schema.body) {
    throw new AppError('unsupported_media_type', 'send multipart/form-data')
  } else if (!route.schema.body && Object.keys(request.body ?? {}).length > 0) {
    throw new AppError('invalid_request', 'this address takes no body')
  }
  assertText(request.body)
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  route: PersonalRoute,
  options: MountOptions,
): Promise<unknown> {
  const input = {
    params: request.params,
    headers: namedHeaders(request, route),
    query: request.query,
    body: request.body,
    files: request.upload?.files ?? [],
  }
  const identity = request.identity!
  if (route.kind !== 'tenant') {
    reply.code(route.status)
    return await route.handler(personOf(identity), input)
  }
  const { tenant } = request
  if (route.answers === 'stream') {
    const opened = openControl(
      request,
      { ...identity, tenantId: request.tenantId! },
      options.notifications,
      options.now,
    )
    const events: AsyncIterable<ServerEvent> = await Promise.resolve(
      route.handler(tenant, input, opened.control),
    ).catch((error) => {
      opened.close()
      throw error
    })
    await sendStream(reply, events, opened)
    return reply
  }
  const result = await route.handler(tenant, input, undefined)
  reply.code(route.status)
  return route.answers === 'download' ? sendDownload(reply, result) : result
}

function namedHeaders({ headers }: FastifyRequest, { schema }: PersonalRoute): Record<string, unknown> {
  const wanted = Object.keys((schema.headers as { properties?: object } | undefined)?.properties ?? {})
  return Object.fromEntries(wanted.map((name) => [name, headers[name]]))
}

function sendDownload(reply: FastifyReply, { body, mediaType, fileName }: Download): FastifyReply {
  return reply
    .type(mediaType)
    .header('content-disposition', `attachment; filename="${fileName.replace(/[^\w.-]/g, '_')}"`)
    .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox")
    .send(body)
}

function personOf({ userId, email, name, serviceAccount, platformAdmin }: Identity): Person {
  return { userId, email, name, serviceAccount, platformAdmin }
}
