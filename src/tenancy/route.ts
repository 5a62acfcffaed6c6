import type { Readable } from 'node:stream'
import type { Static, TSchema } from 'typebox'
import type { TextDelta } from '../db/notifications.ts'
import type { Implied, TenantContext } from './context.ts'
import type { Permission } from './permissions.ts'

/** A file of a multipart request, already on this machine's disk, within the route's limits. */
export interface UploadedFile {
  readonly field: string
  readonly fileName: string
  readonly mediaType: string
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

/** What a download route answers. */
export interface Download {
  readonly body: Readable
  readonly mediaType: string
  readonly fileName: string
}

/** One server-sent event. Without an id it is not stored: it is lost on whoever does not listen, and is never replayed. */
export interface ServerEvent {
  readonly id?: string
  readonly type: string
  readonly data: unknown
}

/** What a stream route gets besides its input: where to go on, and when to stop. */
export interface StreamControl {
  /** Last-Event-ID, when the client sent one. */
  readonly lastEventId: string | undefined
  /** Aborted when the client leaves, the token expires, or the membership changes. */
  readonly signal: AbortSignal
  /** Begins to watch a session of this tenant. The function that comes back resolves at the next news. */
  readonly watchSession: (sessionId: string) => () => Promise<News>
}

/** What came since the last news: no change is missed, texts are while too many of them wait. */
export interface News {
  readonly changed: boolean
  readonly texts: readonly TextDelta[]
}

export interface Schemas {
  params?: TSchema
  /** Of an object whose properties are the only headers that the handler gets; their names in lower case. */
  headers?: TSchema
  query?: TSchema
  body?: TSchema
  response?: TSchema
}

export interface UploadLimits {
  readonly maxFiles: number
  /** Of each file. */
  readonly maxBytes: number
}

type Input<S extends Schemas> = {
  [K in 'params' | 'headers' | 'query' | 'body' as S[K] extends TSchema ? K : never]: S[K] extends TSchema
    ? Static<S[K]>
    : never
} & { files: readonly UploadedFile[] }

type Answer<S extends Schemas> = S['response'] extends TSchema ? Static<S['response']> : never

interface Common {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: `/${string}`
  readonly summary: string
  readonly status: number
  readonly schema: Schemas
  /** The route takes multipart/form-data: a JSON part `request` where there is a body, and files. */
  readonly upload?: UploadLimits
  /** json: the response schema's value · download: a Download · stream: server-sent events. */
  readonly answers: 'json' | 'download' | 'stream'
}

/** What a me route and a platform route know of who acts. */
export interface Person {
  readonly userId: string
  readonly email: string | null
  readonly name: string | null
  readonly serviceAccount: boolean
  readonly platformAdmin: boolean
}

/** A route as a value: mounted by the API, documented from its schemas, and put through the isolation matrix by the tests. */
export type Route =
  | (Common & {
      readonly kind: 'tenant'
      readonly permission: Permission
      readonly handler: (tenant: any, input: any, control: any) => any
    })
  | (Common & { readonly kind: 'platform' | 'me'; readonly handler: (person: Person, input: any) => Promise<unknown> })
  | (Common & { readonly kind: 'hook'; readonly handler: HookHandler })

/** A message that was signed by a secret of the trigger that it names. */
export interface HookMessage {
  /** The sender's id for it, the same at each attempt. */
  readonly id: string
  readonly payload: unknown
}

type HookHandler = (
  tenant: TenantContext<'triggers:fire'>,
  input: { readonly triggerId: string; readonly message: HookMessage },
) => Promise<unknown>

interface Declared<S extends Schemas> {
  method: Common['method']
  path: Common['path']
  summary: string
  status?: number
  schema: S
  upload?: UploadLimits
}

/** A route inside one organization. Without a permission it does not compile. */
export function tenantRoute<P extends Permission, const S extends Schemas & { response: TSchema }>(
  route: Declared<S> & {
    permission: P
    handler: (tenant: TenantContext<Implied<P>>, input: Input<S>) => Promise<Answer<S>>
  },
): Route {
  return { status: 200, ...route, kind: 'tenant', answers: 'json' }
}

/** A route inside one organization that answers with a file. */
export function downloadRoute<P extends Permission, const S extends Schemas>(
  route: Declared<S> & {
    permission: P
    handler: (tenant: TenantContext<Implied<P>>, input: Input<S>) => Promise<Download>
  },
): Route {
  return { status: 200, ...route, kind: 'tenant', answers: 'download' }
}

/** A route inside one organization that answers with server-sent events. The first event proves that the caller may listen. */
export function streamRoute<P extends Permission, const S extends Schemas>(
  route: Declared<S> & {
    permission: P
    handler: (
      tenant: TenantContext<Implied<P>>,
      input: Input<S>,
      control: StreamControl,
    ) => Promise<AsyncIterable<ServerEvent>>
  },
): Route {
  return { status: 200, ...route, kind: 'tenant', answers: 'stream' }
}

/** A route for any valid token, about the person who holds it. */
export function meRoute<const S extends Schemas & { response: TSchema }>(
  route: Declared<S> & { handler: (person: Person, input: Input<S>) => Promise<Answer<S>> },
): Route {
  return { status: 200, ...route, kind: 'me', answers: 'json' }
}

/** A route for the realm role platform-admin: organizations and health, never what a tenant holds. */
export function platformRoute<const S extends Schemas & { response: TSchema }>(
  route: Declared<S> & { handler: (person: Person, input: Input<S>) => Promise<Answer<S>> },
): Route {
  return { status: 200, ...route, kind: 'platform', answers: 'json' }
}

/** The one route without a token: the signature of the message is checked against the trigger that the path names. */
export function hookRoute<const S extends Schemas & { response: TSchema }>(
  route: Omit<Declared<S>, 'upload'> & { handler: (...input: Parameters<HookHandler>) => Promise<Answer<S>> },
): Route {
  return { status: 200, ...route, kind: 'hook', answers: 'json' }
}
