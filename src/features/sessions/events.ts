import { type TObject, type TProperties, type TSchema, Type } from 'typebox'
import { Id, Name, Nullable, Strict, Time } from '../schema.ts'

// Every kind of event that a session's stream can hold. docs/events.schema.json and docs/EVENTS.md are printed from here,
// and every test that leaves events behind is checked against it (test/support/events.ts). Events hold ids, keys and
// sizes; never what people, files or tools say, but for short texts that are meant for whoever watches.

export interface EventType {
  readonly about: string
  readonly data: TObject
  /** Sent to whoever listens at that moment, without a number; never stored or replayed. */
  readonly fleeting?: true
}

const Key = Type.String({ maxLength: 200 })
const Keys = Type.Array(Key)
const Count = Type.Integer({ minimum: 0 })
const Step = Type.Integer({ minimum: 1, description: 'Counts visits of nodes over the whole run.' })
const Call = Type.String({ maxLength: 64, description: 'The call within the run, the same again after a takeover.' })
const Code = Type.String({ maxLength: 100 })
const text = (maxLength: number) => Type.String({ maxLength })
const Failure = Strict({ code: Code, message: text(4000) })
const Tool = text(200)
const optional = <T extends TSchema>(schema: T) => Type.Optional(schema)

function event(about: string, data: TProperties): EventType {
  return { about, data: Strict(data) }
}

const ofSessions = {
  session_created: event('The session was started.', { agent: Name, version: text(32) }),
  run_created: event('The session runs again, from its beginning or from a checkpoint of an earlier run.', {
    runId: Id,
    fromRunId: optional(Id),
    fromSeq: optional(Count),
  }),
  webhook_received: event('A trigger started the session, since a signed message came.', {
    triggerId: Id,
    messageId: text(256),
  }),
  session_started: event('The run started another session.', { step: Step, call: Call, sessionId: Id, agent: Name }),
  task_updated: event('The agent wrote a task of its plan.', {
    key: Key,
    status: Type.Enum(['pending', 'in_progress', 'blocked', 'completed', 'cancelled']),
  }),
} satisfies Record<string, EventType>

const Place = { fork: optional(Step), branch: optional(Count) }

const ofRuns = {
  execution_started: event('The machine has begun.', { entryPoint: Nullable(Key), inputKeys: Keys }),
  execution_completed: event('The run has ended as its graph wants it.', {
    outcome: Type.Enum(['completed', 'rejected']),
  }),
  execution_failed: event('The run has ended because something went wrong.', { error: Failure }),
  execution_cancelled: event('A person ended the run.', {}),
  execution_paused: event('The run stopped until a person resumes it.', {}),
  execution_resumed: event('A person let the run go on.', {}),
  goal_scored: event('How far the goal was reached, 0 to 1; null where it cannot be told.', {
    score: Nullable(Type.Number()),
    criteria: Type.Array(Strict({ id: Key, score: Nullable(Type.Number()), error: optional(Failure) })),
  }),
} satisfies Record<string, EventType>

const ofNodes = {
  node_loop_started: event('An attempt of a node begins.', {
    step: Step,
    attempt: Step,
    visits: Count,
    nodeType: text(32),
    parentStep: optional(Step),
    ...Place,
  }),
  node_loop_completed: event('An attempt of a node has ended.', {
    step: Step,
    attempt: Step,
    ok: Type.Boolean(),
    outputKeys: Keys,
    error: optional(Failure),
  }),
  edge_traversed: event('The run goes on along an edge.', {
    step: optional(Step),
    id: optional(Key),
    source: Key,
    target: Key,
    condition: text(32),
  }),
  edges_chosen: event('A model chose where the run goes on.', { step: Step, call: Call, edges: Keys }),
  branches_started: event('The run goes on along several edges at the same time, until they meet at `join`.', {
    step: Step,
    branches: Keys,
    join: Nullable(Key),
  }),
  branch_failed: event('A branch ended before it came to where the branches meet.', {
    step: Step,
    branch: Count,
    branchNode: Key,
    status: text(32),
    error: Nullable(Failure),
  }),
  branches_joined: event('All branches have ended or met; `conflicts` are the keys that several of them wrote.', {
    step: Step,
    at: Nullable(Key),
    branches: Type.Array(Strict({ nodeId: Key, status: text(32) })),
    conflicts: Keys,
  }),
  map_item_failed: event('One item of a map failed; the others go on.', { step: Step, item: Count, error: Failure }),
} satisfies Record<string, EventType>

const ofModels = {
  node_loop_iteration: event('The conversation of a node begins another turn.', { step: Step, iteration: Count }),
  llm_text_delta: {
    ...event('A piece of what a model is writing. `sequence` counts from 0; 0 again: the answer begins anew.', {
      call: Call,
      sequence: Count,
      text: text(7000),
    }),
    fleeting: true,
  },
  llm_turn_complete: event('A model has answered.', {
    step: Step,
    call: Call,
    purpose: Type.Enum(['turn', 'judge', 'choose', 'score']),
    iteration: Count,
    inputTokens: Count,
    outputTokens: Count,
    finishReason: text(100),
    toolCalls: Count,
    text: optional(text(8000)),
  }),
  judge_verdict: event('Whether the node is done, as its rules or a second model see it.', {
    step: Step,
    verdict: Type.Enum(['accept', 'retry', 'escalate']),
    missing: Keys,
    call: optional(Call),
    feedback: optional(text(4000)),
  }),
  escalation_requested: event('The second model gave up: the attempt fails.', {
    step: Step,
    call: Call,
    reason: text(4000),
  }),
  credentials_required: event('A call needs a credential that the organization does not have, or that has expired.', {
    step: Step,
    call: Call,
    code: text(64),
    message: text(2000),
  }),
  output_key_set: event('The model gave one of its outputs.', { step: Step, key: Key }),
  context_compacted: event('Old turns of a conversation were put into fewer tokens.', {
    step: Step,
    before: Count,
    after: Count,
  }),
  subagent_report: event('A node that worked for this one has ended.', {
    step: Step,
    call: Call,
    agent: Key,
    ok: Type.Boolean(),
    code: optional(Code),
  }),
  tool_call_started: event('A tool is called.', { step: Step, call: Call, tool: Tool, inputKeys: Keys }),
  tool_call_completed: event('A tool has answered.', {
    step: Step,
    call: Call,
    tool: Tool,
    ok: Type.Boolean(),
    code: optional(Code),
  }),
} satisfies Record<string, EventType>

const Decided = { approvalId: Id, decision: Type.Enum(['approve', 'edit', 'reject']) }

const ofPeople = {
  approval_requested: event('The run waits for a decision.', {
    step: Step,
    call: Call,
    title: text(1000),
    approvalId: optional(Id),
  }),
  approval_answered: event('A person answered; more of them are needed.', { ...Decided, agreed: Count, quorum: Count }),
  approval_escalated: event('Nobody answered in time: others are asked.', { approvalId: Id, stage: Count }),
  approval_expired: event('Nobody answered in time: the policy decides.', Decided),
  approval_decided: event('It is decided.', Decided),
  client_input_requested: event('The run asks in the chat; `evidence` are the keys that it shows.', {
    step: Step,
    call: Call,
    prompt: text(8000),
    evidence: Keys,
    messageId: optional(Id),
  }),
  client_input_received: event('The question in the chat was answered.', { messageId: Id, characters: Count }),
  report_written: event('The run left a report.', { reportId: Id, title: text(1000), files: Type.Array(text(255)) }),
} satisfies Record<string, EventType>

/** By name, in the order in which they are documented. */
export const eventTypes: Readonly<Record<string, EventType>> = {
  ...ofSessions,
  ...ofRuns,
  ...ofNodes,
  ...ofModels,
  ...ofPeople,
}

/** An event as the stream and the list give it, of one type. */
export function frameOf(type: string, { about, data, fleeting }: EventType): TObject {
  const common = { type: Type.Literal(type), runId: Nullable(Id), nodeId: Nullable(Key), data }
  const stored = { id: Type.Integer({ minimum: 1 }), timestamp: Time }
  return Type.Object(fleeting ? common : { ...stored, ...common }, { description: about, additionalProperties: false })
}
