import { Type } from 'typebox'
import { AnyNode } from './schema-nodes.ts'
import { keyPattern, list, oneOf, strict, text, Word, whole, wordPattern } from './schema-words.ts'

export const GoalSchema = strict(
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
          expression: Type.Optional(text(500, 'CEL that is true when it is met. A model judges when left out.', 1)),
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
    condition: oneOf(['always', 'on_success', 'on_failure', 'conditional', 'llm_decide'], 'When it may be taken.'),
    expression: Type.Optional(text(500, 'CEL, with condition "conditional" only. Must be true or false.', 1)),
    description: Type.Optional(text(1000, 'When to go this way, for the model that decides.')),
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
  'After a node all edges of the highest priority that may be taken are taken, side by side.',
)

const LoopConfig = strict({
  maxSteps: Type.Optional(whole(1, 1000, 'Nodes visited in one run.', 100)),
  maxIterations: Type.Optional(whole(1, 50, 'Model turns in one attempt of an event_loop node.', 10)),
  maxToolCallsPerTurn: Type.Optional(whole(1, 32, 'Tools a model may call in one turn.', 8)),
  maxHistoryTokens: Type.Optional(
    whole(1000, 200_000, 'Length of a conversation, estimated at four characters a token.', 32_000),
  ),
  maxTokens: Type.Optional(
    whole(1, 100_000_000, 'Tokens of models in the whole run. No model is asked once they are used up.'),
  ),
  maxToolCalls: Type.Optional(whole(1, 10_000, 'Calls of tools in the whole run.')),
  maxWallTimeMs: Type.Optional(
    whole(1000, 604_800_000, 'Time that the run is worked on; waiting for people does not count.'),
  ),
})

const AsyncEntryPoint = strict(
  {
    id: Word('Name of the entry point, unique among all entry points.'),
    name: Type.Optional(text(200, 'Title for people.')),
    entryNode: Type.String({ maxLength: 64, description: 'Id of the node where such a run starts.' }),
    triggerType: oneOf(['timer', 'webhook', 'event', 'api', 'manual'], 'What should start it.'),
    triggerConfig: Type.Optional(
      strict({
        intervalMinutes: Type.Optional(whole(1, 525_600, 'Minutes from one start to the next.')),
        cron: Type.Optional(text(100, 'Times as a cron expression.', 1)),
        runImmediately: Type.Optional(Type.Boolean({ description: 'Whether it starts once at the beginning.' })),
      }),
    ),
    maxConcurrent: Type.Optional(whole(1, 100, 'Runs at the same time.')),
  },
  'An entry point, and the trigger that it suggests. Nothing starts by itself: your organization creates the trigger.',
)

export const GraphSchema = strict({
  entryNode: Type.String({ maxLength: 64, description: 'Where a run starts.' }),
  nodes: Type.Array(AnyNode, { minItems: 1, maxItems: 100 }),
  edges: Type.Array(Edge, { maxItems: 400 }),
  pauseNodes: Type.Optional(
    list(Type.String({ maxLength: 64 }), 100, 'Ids of nodes after whose success a person is asked whether to go on.'),
  ),
  terminalNodes: Type.Array(Type.String({ maxLength: 64 }), {
    minItems: 1,
    maxItems: 100,
    uniqueItems: true,
    description: 'The run, or the branch, ends after these.',
  }),
  entryPoints: Type.Optional(
    Type.Record(Type.String({ pattern: wordPattern }), Type.String({ maxLength: 64 }), {
      maxProperties: 20,
      additionalProperties: false,
      description: 'Further places to start at, by name.',
    }),
  ),
  asyncEntryPoints: Type.Optional(Type.Array(AsyncEntryPoint, { maxItems: 20 })),
  conflictPolicy: Type.Optional(
    oneOf(
      ['last', 'first', 'error'],
      'Whose value counts when several branches of a fork wrote the same key, in the order of their edges; last when left out.',
    ),
  ),
  branchFailurePolicy: Type.Optional(
    oneOf(
      ['fail_all', 'continue_others'],
      'Whether a branch that fails stops the others of its fork; fail_all when left out.',
    ),
  ),
  loopConfig: Type.Optional(LoopConfig),
})
