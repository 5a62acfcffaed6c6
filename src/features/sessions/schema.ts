import { type Static, Type } from 'typebox'
import { Run } from '../runs/schema.ts'
import { Id, Name, Nullable, Page, PageQuery, StoredFile, Strict, Time } from '../schema.ts'

/** Where the work begins, by the package's own name for it. */
export const EntryPoint = Type.String({
  pattern: '^[a-z][a-z0-9]*([-_][a-z0-9]+)*$',
  maxLength: 64,
  description: "One of the package's entry points; its entry node when left out.",
})

export const Session = Type.Object({
  id: Id,
  title: Type.String(),
  agent: Name,
  version: Type.String(),
  entryPoint: Nullable(Type.String()),
  run: Run,
  createdAt: Time,
  createdBy: Type.String(),
})
export type Session = Static<typeof Session>

export const SessionDetail = Type.Object({
  ...Session.properties,
  input: Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true }),
  files: Type.Array(StoredFile),
})
export type SessionDetail = Static<typeof SessionDetail>

/** `input` holds the values that are not files; files come as further parts of the form, each named as its input property. */
export const SessionCreate = Strict({
  agent: Name,
  version: Type.Optional(
    Type.String({ maxLength: 32, description: 'The active version when left out; another one needs agents:write.' }),
  ),
  title: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  entryPoint: Type.Optional(EntryPoint),
  input: Type.Optional(Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true })),
})
export type SessionCreate = Static<typeof SessionCreate>

/** Where the new run goes on; it begins at the beginning when `from` is left out. */
export const RunCreate = Strict({
  from: Type.Optional(Strict({ runId: Id, seq: Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 }) })),
})
export type RunCreate = Static<typeof RunCreate>

export const SessionList = Page(Session)
export const SessionQuery = Strict({ ...PageQuery, agent: Type.Optional(Name) })
export const SessionPath = Strict({ sessionId: Id })
export const SessionFilePath = Strict({
  sessionId: Id,
  file: Type.String({ pattern: '^[a-z][a-z0-9_]*$', maxLength: 64 }),
})

export const SessionEvent = Type.Object({
  id: Type.Integer({ description: 'Counts up from 1 without gaps within the session; usable as Last-Event-ID.' }),
  type: Type.String(),
  runId: Nullable(Id),
  nodeId: Nullable(Type.String()),
  data: Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true }),
  timestamp: Time,
})
export type SessionEvent = Static<typeof SessionEvent>

/** Oldest first. */
export const SessionEventList = Type.Object({ items: Type.Array(SessionEvent), nextAfter: Nullable(Type.Integer()) })
export const SessionEventQuery = Strict({
  after: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0 })),
})
