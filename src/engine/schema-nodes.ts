import { type Static, Type } from 'typebox'
import { JsonSchema, Key, keyPattern, list, oneOf, strict, ToolName, text, Word, whole } from './schema-words.ts'

const commonNode = {
  id: Word('Name of the node, unique in the package. An approval writes its decision to memory under this name.'),
  name: Type.Optional(text(200, 'Title for people.')),
  description: Type.Optional(text(2000, 'What the node does, for people.')),
  inputKeys: Type.Optional(list(Key, 64, 'Keys of memory that the node reads. A key that is not set yet is left out.')),
  outputKeys: Type.Optional(list(Key, 64, 'Keys of memory that the node writes.')),
  nullableOutputKeys: Type.Optional(list(Key, 64, 'Those of outputKeys that may be null or missing.')),
  maxRetries: Type.Optional(whole(0, 10, 'Further attempts after a failure.', 0)),
  maxVisits: Type.Optional(whole(1, 1000, 'How often a run may come here. Every cycle needs a node that has it.')),
  endsAs: Type.Optional(
    oneOf(['completed', 'rejected'], 'How the run ends after this node. Terminal nodes only; completed when left out.'),
  ),
}

const FunctionNode = strict(
  {
    ...commonNode,
    type: Type.Literal('function'),
    tool: ToolName('A tool of this package, of the platform, or server__tool of an MCP server.'),
    arguments: Type.Optional(
      Type.Record(Type.String({ pattern: keyPattern }), Type.Unknown(), {
        maxProperties: 32,
        additionalProperties: false,
        description: 'What the tool gets besides the input keys, always the same.',
      }),
    ),
  },
  'One tool, no model.',
)

const modelNode = {
  systemPrompt: text(20_000, 'The instructions: text, or the path of a file such as prompts/review.md.', 1),
  tools: Type.Optional(
    list(
      ToolName('Name of a tool.'),
      64,
      'What the model may call: tools of this package, of the platform, of MCP servers.',
    ),
  ),
  skills: Type.Optional(
    list(Word('Name of a skill.'), 32, "Instructions that the model may load: the package's, or the organization's."),
  ),
  successCriteria: Type.Optional(text(4000, 'What must be true of the results. A second model checks it.', 1)),
  model: Type.Optional(Word('What the model is for. Your organization decides which model that is. "default" else.')),
  maxIterations: Type.Optional(whole(1, 50, 'Model turns in one attempt. The value of loopConfig when left out.')),
  maxToolCalls: Type.Optional(whole(1, 10_000, 'Calls in one visit, those of its subagents included.')),
  maxTokens: Type.Optional(whole(1, 100_000_000, 'Tokens in one visit, those of its subagents included.')),
}

const EventLoopNode = strict(
  {
    ...commonNode,
    ...modelNode,
    type: Type.Literal('event_loop'),
    clientFacing: Type.Optional(
      Type.Boolean({ default: false, description: 'Whether the model talks with the person in the chat.' }),
    ),
    subAgents: Type.Optional(
      list(Type.String({ maxLength: 64 }), 16, 'Ids of subagent nodes that the model may give tasks to.'),
    ),
  },
  'A model that works in turns and may call tools.',
)

const SubagentNode = strict(
  { ...commonNode, ...modelNode, type: Type.Literal('subagent') },
  'A model that works for another one: it gets a task, and its outputs are the answer. No edge leads there.',
)

const ApprovalNode = strict(
  {
    ...commonNode,
    type: Type.Literal('approval'),
    title: text(200, 'The question, in a few words.', 1),
    message: text(4000, 'The question in sentences. {{key}} is replaced by a text, number or truth value of memory.'),
    evidence: Type.Optional(list(Key, 32, 'Keys of memory that are shown.')),
    proposal: Type.Optional(Key),
    editSchema: Type.Optional(JsonSchema('What an edited proposal must look like.')),
    policy: Type.Optional(Word('Name of one of approvalPolicies.')),
  },
  'A person decides. Approving or editing is a success, rejecting a failure.',
)

const RouterNode = strict(
  {
    ...commonNode,
    type: Type.Literal('router'),
    prompt: Type.Optional(
      text(4000, 'How a model chooses the edge. Without it the conditions of the edges decide.', 1),
    ),
    model: Type.Optional(Word('What the model is for; "default" when left out.')),
  },
  'Takes exactly one edge, and does nothing else.',
)

const MapNode = strict(
  {
    ...commonNode,
    type: Type.Literal('map'),
    over: Key,
    itemKey: Key,
    each: Type.String({
      maxLength: 64,
      description: 'Id of the node that works on an item. Nothing else leads there.',
    }),
    concurrency: Type.Optional(whole(1, 16, 'Items at the same time.', 4)),
    maxItems: Type.Optional(whole(1, 1000, 'A longer list is a failure.', 100)),
    onItemFailure: Type.Optional(
      oneOf(
        ['fail', 'continue'],
        'Whether a failed item fails the node, or leaves null in the list; fail when left out.',
      ),
    ),
  },
  'One node for every item of a list. Its output is the list of the outputs, in the order of the items.',
)

export const AnyNode = Type.Unsafe<
  | Static<typeof FunctionNode>
  | Static<typeof EventLoopNode>
  | Static<typeof SubagentNode>
  | Static<typeof ApprovalNode>
  | Static<typeof RouterNode>
  | Static<typeof MapNode>
>({
  type: 'object',
  required: ['type'],
  discriminator: { propertyName: 'type' },
  oneOf: [FunctionNode, EventLoopNode, SubagentNode, ApprovalNode, RouterNode, MapNode],
})
