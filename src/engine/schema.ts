import { type Static, Type } from 'typebox'
import { ApprovalPolicy } from './policies.ts'
import { GoalSchema, GraphSchema } from './schema-graph.ts'
import { JsonSchema, oneOf, strict, text, Word, whole } from './schema-words.ts'

export type { ApprovalPolicy } from './policies.ts'

const Tool = strict({
  name: Word('Name of the tool, unique in the package.'),
  file: Type.String({ pattern: '^tools/[A-Za-z0-9_./-]+\\.js$', maxLength: 200, description: 'Path of its module.' }),
  description: text(2000, 'What it does; a model decides by it whether to call it.'),
  inputSchema: Type.Optional(JsonSchema('What it takes. A model is held to it.')),
  outputSchema: Type.Optional(JsonSchema('What it returns.')),
  timeoutMs: Type.Optional(whole(1, 60_000, 'Longest run of one call.', 5000)),
})

const McpServer = strict({
  name: Type.String({
    pattern: '^[a-z][a-z0-9]*(-[a-z0-9]+)*$',
    maxLength: 32,
    description: 'Name of one of the MCP servers that your organization has set up.',
  }),
  description: Type.Optional(text(1000, 'What it is for, for whoever sets it up.')),
})

const Credential = strict({
  name: Type.String({
    pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$',
    description: 'Name of a credential of your organization.',
  }),
  type: oneOf(['api_key', 'bearer_token', 'basic_auth', 'oauth2', 'custom'], 'What kind of secret it is.'),
  description: Type.Optional(text(1000, 'What it is for, and where to get it.')),
})

/** The JSON Schema of agent.json, published as docs/agent-package.schema.json. */
export const packageSchema = Type.Object(
  {
    $schema: Type.Optional(Type.String({ maxLength: 500 })),
    name: Type.String({
      pattern: '^[a-z0-9]+(-[a-z0-9]+)*$',
      maxLength: 64,
      description: 'Name in the catalog: lower-case words joined by hyphens.',
    }),
    version: Type.String({
      pattern: '^[0-9]{1,6}\\.[0-9]{1,6}\\.[0-9]{1,6}(-[0-9A-Za-z.-]{1,11})?$',
      maxLength: 32,
      description: 'Such as 1.0.0. The contents of a version never change.',
    }),
    description: text(4000, 'What the agent does, for the person who starts it.'),
    goal: GoalSchema,
    input: Type.Optional(
      JsonSchema(
        'What a session needs, an object. A property with contentMediaType text/csv is uploaded as a file and reaches memory as the rows that its contentSchema describes.',
      ),
    ),
    graph: GraphSchema,
    tools: Type.Optional(Type.Array(Tool, { maxItems: 64 })),
    mcpServers: Type.Optional(
      Type.Array(McpServer, { maxItems: 20, description: 'MCP servers whose tools nodes name.' }),
    ),
    requiredCredentials: Type.Optional(
      Type.Array(Credential, { maxItems: 20, description: 'A session begins when the organization has all of them.' }),
    ),
    approvalPolicies: Type.Optional(Type.Array(ApprovalPolicy, { maxItems: 20 })),
  },
  {
    $id: 'https://enginex.dev/schemas/agent-package.json',
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'EngineX agent package: agent.json',
    additionalProperties: false,
  },
)

/** agent.json as it was checked: camelCase, nothing unknown. */
export type Manifest = Static<typeof packageSchema>
export type Graph = Manifest['graph']
export type Node = Graph['nodes'][number]
export type Edge = Graph['edges'][number]
export type Criterion = NonNullable<Manifest['goal']['successCriteria']>[number]
export type ToolDeclaration = NonNullable<Manifest['tools']>[number]
