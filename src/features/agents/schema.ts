import { type Static, Type } from 'typebox'
import { Id, Name, Nullable, Page, PageQuery, Sha256, Strict, Time } from '../schema.ts'

/** As in agent.json (src/engine/schema.ts). */
const Version = Type.String({ pattern: '^[0-9]{1,6}\\.[0-9]{1,6}\\.[0-9]{1,6}(-[0-9A-Za-z.-]{1,11})?$', maxLength: 32 })

export const Agent = Type.Object({
  name: Name,
  description: Type.String(),
  status: Type.Union([Type.Literal('active'), Type.Literal('archived')]),
  activeVersion: Nullable(Version),
  createdAt: Time,
})
export type Agent = Static<typeof Agent>

/** The active version's input schema and graph come with a single agent, so that a form and a drawing can be made of them. */
export const AgentDetail = Type.Object({
  ...Agent.properties,
  input: Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true }),
  graph: Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true }),
})
export type AgentDetail = Static<typeof AgentDetail>

export const AgentVersion = Type.Object({
  id: Id,
  agent: Name,
  version: Version,
  digest: Sha256,
  bytes: Type.Integer(),
  active: Type.Boolean(),
  createdAt: Time,
  createdBy: Type.String({ description: 'The actor, e.g. user:0197….' }),
})
export type AgentVersion = Static<typeof AgentVersion>

export const AgentList = Page(Agent)
export const AgentVersionList = Page(AgentVersion)
export const AgentQuery = Strict(PageQuery)
export const AgentPath = Strict({ name: Name })
export const AgentVersionPath = Strict({ name: Name, version: Version })
export const DeployQuery = Strict({ promote: Type.Optional(Type.Boolean({ default: false })) })

export const Template = Type.Object({
  name: Name,
  version: Version,
  description: Type.String(),
  needsModel: Type.Boolean(),
})
export type Template = Static<typeof Template>
export const TemplateList = Type.Object({ items: Type.Array(Template) })
export const TemplatePath = Strict({ template: Name })
