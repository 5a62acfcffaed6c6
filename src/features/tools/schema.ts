import { type Static, Type } from 'typebox'
import { Id, Name, Nullable, Page, PageQuery, Strict, Time } from '../schema.ts'

const Transport = Type.Union([Type.Literal('streamable_http'), Type.Literal('stdio')])

/** streamable_http takes url and headers, stdio takes command. */
export const McpServerSave = Strict({
  description: Type.Optional(Type.String({ maxLength: 1000, default: '' })),
  transport: Transport,
  url: Type.Optional(Type.String({ maxLength: 2000 })),
  headers: Type.Optional(
    Type.Unsafe<Record<string, string>>({
      type: 'object',
      propertyNames: { pattern: '^[A-Za-z0-9-]{1,64}$' },
      additionalProperties: { type: 'string', minLength: 1, maxLength: 2000 },
      maxProperties: 16,
      description: 'Sent with each request. Secrets stand in credentials: "Bearer {{credentials.NAME.KEY}}".',
    }),
  ),
  command: Type.Optional(
    Type.String({ maxLength: 64, description: 'Name of a program that the platform operator allows.' }),
  ),
  allowedTools: Type.Array(Type.String({ minLength: 1, maxLength: 128 }), {
    maxItems: 256,
    description: 'Tools that models may call, by the names that the server gives them; "*" is all of them.',
  }),
  timeoutMs: Type.Optional(Type.Integer({ minimum: 1000, maximum: 120_000, default: 30_000 })),
})
export type McpServerSave = Static<typeof McpServerSave>

export const McpServer = Type.Object({
  id: Id,
  name: Name,
  description: Type.String(),
  transport: Transport,
  url: Nullable(Type.String()),
  headers: Type.Record(Type.String(), Type.String()),
  command: Nullable(Type.String()),
  allowedTools: Type.Array(Type.String()),
  timeoutMs: Type.Integer(),
  discoveredAt: Nullable(Time),
  createdAt: Time,
  createdBy: Type.String(),
})
export type McpServer = Static<typeof McpServer>

const McpTool = Type.Object({
  name: Type.String({ description: 'As the server calls it.' }),
  calledAs: Type.String({ description: 'As a package and a model call it: server__tool.' }),
  description: Type.String(),
  inputSchema: Type.Unsafe<object>({ type: 'object', additionalProperties: true }),
  allowed: Type.Boolean(),
  problem: Nullable(Type.String({ description: 'Why no model sees it, whatever is allowed.' })),
})

/** With the tools that were discovered last; they are null before. */
export const McpServerDetail = Type.Object({ ...McpServer.properties, tools: Nullable(Type.Array(McpTool)) })
export type McpServerDetail = Static<typeof McpServerDetail>

export const McpServerList = Page(McpServer)
export const McpServerQuery = Strict(PageQuery)
/** Any name can be asked for; only short ones can be given. */
export const McpServerPath = Strict({ name: Name })
