import { type Static, Type } from 'typebox'
import { ApprovalPolicy } from './policies.ts'
import { AnyNode } from './schema-nodes.ts'
import { JsonSchema, keyPattern, list, oneOf, strict, text, Word, whole, wordPattern } from './schema-words.ts'

export type { ApprovalPolicy } from './policies.ts'

const Goal = strict(
  {
    id: Type.Optional(Word('Name of the goal.')),
    name: text(200, 'What the agent is for, in a few words.', 1),
    description: text(4000, 'The same in sentences.'),
    successCriteria: Type.Optional(
      Type.Array(
        strict({
          id: Word('Name of the criterion.'),
          description: text(1000, 'What must be true of a good run.'),
          metric: text(200, 'What is measured.'),
          target: text(200, 'The value to reach.'),
          weight: Type.Number({ minimum: 0, maximum: 1, description: 'Share of the score.' }),
        }),
        { maxItems: 20, description: 'They score a finished run; they never repeat it.' },
      ),
    ),
    constraints: Type.Optional(
      Type.Array(
        strict({
          id: Word('Name of the constraint.'),
          description: text(1000, 'What must never happen.'),
          constraintType: Type.Optional(oneOf(['hard', 'soft'], 'Whether it may be broken at all.')),
          category: Type.Optional(text(100, 'A word to group by.')),
        }),
        { maxItems: 20 },
      ),
    ),
  },
  'What the agent is for. It is shown to people.',
)

const Edge = strict(
  {
    id: Type.Optional(Word('Name of the edge, unique in the package.')),
    source: Type.String({ maxLength: 64, description: 'Id of the node it leaves.' }),
    target: Type.String({ maxLength: 64, description: 'Id of the node it leads to.' }),
    condition: oneOf(['always', 'on_success', 'on_failure', 'conditional'], 'When it may be taken.'),
    expression: Type.Optional(text(500, 'CEL, with condition "conditional" only. Must be true or false.', 1)),
    priority: Type.Optional(
      Type.Integer({ minimum: -1000, maximum: 1000, default: 0, description: 'The highest that may be taken is.' }),
    ),
    inputMapping: Type.Optional(
      Type.Record(Type.String({ pattern: keyPattern }), Type.String({ pattern: keyPattern }), {
        maxProperties: 64,
        additionalProperties: false,
        description: 'Input key of the target -> key of memory that is read instead.',
      }),
    ),
  },
  'Exactly one edge is taken after a node.',
)

const LoopConfig = strict({
  maxSteps: Type.Optional(whole(1, 1000, 'Nodes visited in one run.', 100)),
  maxIterations: Type.Optional(whole(1, 50, 'Model turns in one attempt of an event_loop node.', 10)),
  maxToolCallsPerTurn: Type.Optional(whole(1, 32, 'Tools a model may call in one turn.', 8)),
  maxHistoryTokens: Type.Optional(
    whole(1000, 200_000, 'Length of a conversation, estimated at four characters a token.', 32_000),
  ),
})

const Graph = strict({
  entryNode: Type.String({ maxLength: 64, description: 'Where a run starts.' }),
  nodes: Type.Array(AnyNode, { minItems: 1, maxItems: 100 }),
  edges: Type.Array(Edge, { maxItems: 400 }),
  pauseNodes: Type.Optional(list(Type.String({ maxLength: 64 }), 100, 'Where people decide: ids of approval nodes.')),
  terminalNodes: Type.Array(Type.String({ maxLength: 64 }), {
    minItems: 1,
    maxItems: 100,
    uniqueItems: true,
    description: 'The run ends after these.',
  }),
  entryPoints: Type.Optional(
    Type.Record(Type.String({ pattern: wordPattern }), Type.String({ maxLength: 64 }), {
      maxProperties: 20,
      additionalProperties: false,
      description: 'Further places to start at, by name.',
    }),
  ),
  loopConfig: Type.Optional(LoopConfig),
})

const Tool = strict({
  name: Word('Name of the tool, unique in the package.'),
  file: Type.String({ pattern: '^tools/[A-Za-z0-9_./-]+\\.js$', maxLength: 200, description: 'Path of its module.' }),
  description: text(2000, 'What it does; a model decides by it whether to call it.'),
  inputSchema: Type.Optional(JsonSchema('What it takes. A model is held to it.')),
  outputSchema: Type.Optional(JsonSchema('What it returns.')),
  timeoutMs: Type.Optional(whole(1, 60_000, 'Longest run of one call.', 5000)),
})

const McpServer = strict({
  name: Word('Name of one of the MCP servers that your organization has set up.'),
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
    goal: Goal,
    input: Type.Optional(
      JsonSchema(
        'What a session needs, an object. A property with contentMediaType text/csv is uploaded as a file and reaches memory as the rows that its contentSchema describes.',
      ),
    ),
    graph: Graph,
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
export type ToolDeclaration = NonNullable<Manifest['tools']>[number]
