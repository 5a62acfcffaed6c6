import { type Static, type TSchema, Type } from 'typebox'

/** Shapes that every resource shares. */
export const Id = Type.String({ format: 'uuid' })
export const Time = Type.String({ format: 'date-time' })
export const Name = Type.String({
  pattern: '^[a-z0-9]+(-[a-z0-9]+)*$',
  maxLength: 64,
  description: 'Lower-case words joined by hyphens.',
})
export const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' })

/** Query of every list. A page holds at most `limit` items; `cursor` is the nextCursor of the page before. */
export const PageQuery = {
  cursor: Type.Optional(Type.String({ maxLength: 200 })),
  limit: Type.Optional(Type.Union([Type.Literal(20), Type.Literal(50), Type.Literal(100)], { default: 20 })),
}

/** One page of a list, newest first unless the route says otherwise; nextCursor is null on the last one. */
export function Page<T extends TSchema>(item: T) {
  return Type.Object({ items: Type.Array(item), nextCursor: Type.Union([Type.String(), Type.Null()]) })
}

/** A body or query in which unknown fields are refused. */
export function Strict<P extends Record<string, TSchema>>(properties: P) {
  return Type.Object(properties, { additionalProperties: false })
}

export function Nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()])
}

/** Why something ended badly: a stable code for programs, a sentence for people. */
export const Failure = Type.Object({ code: Type.String(), message: Type.String() })

/** A stored file: what it is called, how large it is, and the hash of its bytes. */
export const StoredFile = Type.Object({
  name: Type.String(),
  mediaType: Type.String(),
  bytes: Type.Integer(),
  sha256: Sha256,
})
export type StoredFile = Static<typeof StoredFile>
