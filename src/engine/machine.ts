import { effectOf } from './behaviours.ts'
import { conclude, endByDeadline } from './ending.ts'
import { entryPointsOf } from './graph.ts'
import type { AgentPackage } from './package.ts'
import { planOf } from './plan.ts'
import type { ApprovalPolicy } from './schema.ts'
import { keyPattern } from './schema-words.ts'
import type { RunState } from './state.ts'
import { answer, begin } from './steps.ts'
import { endRun, finishWalk, startWalk, type Walk } from './walk.ts'

export { type Activation, type LoopState, type PendingCall, type RunState, startState } from './state.ts'

/** Values that nodes share, by key. Plain JSON. */
export type Memory = Record<string, unknown>

/** Why something failed: a stable code for programs, a sentence for people. */
export interface Failure {
  readonly code: string
  readonly message: string
}

export interface ToolCall {
  readonly id: string
  readonly name: string
  readonly arguments: unknown
}

export type Message =
  | { readonly role: 'system' | 'user'; readonly content: string }
  | { readonly role: 'assistant'; readonly content: string; readonly toolCalls: readonly ToolCall[] }
  | { readonly role: 'tool'; readonly toolCallId: string; readonly name: string; readonly content: string }

/** A tool as a model sees it. */
export interface ToolSpec {
  readonly name: string
  readonly description: string
  readonly inputSchema: object
}

export type ToolResult = { ok: true; output: unknown } | { ok: false; error: Failure }

export type ModelResult =
  | {
      ok: true
      text: string
      toolCalls: readonly ToolCall[]
      usage: { inputTokens: number; outputTokens: number }
      finishReason: string
      /** What a model answered that was asked for an object; unchecked. */
      object?: unknown
    }
  | { ok: false; error: Failure }

/** What happened in the world. `call` and `approval` are the `call` of the effect it answers. */
export type Input =
  | { kind: 'start'; input: Memory; entryPoint?: string }
  | { kind: 'tool_result'; call: string; result: ToolResult }
  | { kind: 'model_result'; call: string; result: ModelResult }
  | {
      kind: 'decision'
      approval: string
      decision: 'approve' | 'edit' | 'reject'
      values?: unknown
      reason: string
      decidedBy: string
      decidedAt: string
    }
  /** What a person said in the chat. `from` is who, as in decidedBy; `at` is ISO 8601. */
  | { kind: 'message'; call: string; text: string; from: string; at: string }
  /** The run has been worked on for as long as its package allows. */
  | { kind: 'deadline' }

/** What a model is asked for: a turn of a conversation, a verdict on one, the way on, or the score of a run. */
export type ModelPurpose = 'turn' | 'judge' | 'choose' | 'score'

/** What the shell has to do. `call` is unique within the run and the same again after a takeover. */
export type Effect =
  | { kind: 'tool'; call: string; step: number; nodeId: string; tool: string; input: Memory; timeoutMs: number }
  | {
      kind: 'model'
      call: string
      step: number
      nodeId: string
      purpose: ModelPurpose
      /** A word such as "default"; which provider and model serve it is the organization's setting. */
      model: string
      messages: readonly Message[]
      tools: readonly ToolSpec[]
      /** JSON Schema: the answer is an object of this shape, and the result has it as `object`. */
      output?: object
      /** Skills of the organization whose names and descriptions the system prompt lists. */
      skills: readonly string[]
      /** MCP tools `server__tool`, or all of a server's, `server__*`; the shell knows what they take. */
      mcpTools: readonly string[]
    }
  | {
      kind: 'approval'
      call: string
      step: number
      nodeId: string
      title: string
      message: string
      evidence: { key: string; value: unknown }[]
      proposal: { key: string; value: unknown } | null
      editSchema: object | null
      policy: ApprovalPolicy | null
    }
  /** Asks the person in the chat. Waits as an approval does. */
  | {
      kind: 'message'
      call: string
      step: number
      nodeId: string
      prompt: string
      evidence: { key: string; value: unknown }[]
    }

/** A fact for the session's stream. Holds ids, keys and sizes, never whole payloads. */
export interface EngineEvent {
  readonly type: string
  readonly nodeId: string | null
  readonly data: Record<string, unknown>
}

/** The latest word on one attempt of a step; a later record of the same step and attempt replaces it. */
export interface StepRecord {
  readonly step: number
  readonly nodeId: string
  readonly attempt: number
  readonly status: 'running' | 'completed' | 'failed' | 'waiting'
  readonly error?: Failure
}

export type RunStatus = 'running' | 'waiting' | 'completed' | 'rejected' | 'failed'

/** What one input leads to. `effects` are new ones only. */
export interface Transition {
  readonly state: RunState
  readonly status: RunStatus
  /** Changed keys of memory. */
  readonly writes: Memory
  readonly events: readonly EngineEvent[]
  readonly effects: readonly Effect[]
  readonly steps: readonly StepRecord[]
  readonly error?: Failure
  /** 0 to 1, or null when it could not be told; there when the run has ended and was scored. */
  readonly score?: number | null
}

const key = new RegExp(keyPattern)
const ends: readonly string[] = ['new', 'completed', 'rejected', 'failed']

/**
 * The run after one more input. Deterministic, and changes none of its arguments. `memory` is what the transitions so
 * far have written. An input that nothing waits for (an unknown or repeated call, a second start) changes nothing.
 */
export function next(pkg: AgentPackage, state: RunState, memory: Memory, input: Input): Transition {
  const underWay = !ends.includes(state.status)
  const walk = startWalk(planOf(pkg), state, memory)
  if (input.kind === 'start' ? state.status !== 'new' : !underWay) return unchanged(state)
  if (input.kind === 'start') start(walk, input)
  else if (input.kind === 'deadline') endByDeadline(walk)
  else if (!answer(walk, input)) return unchanged(state)
  conclude(walk)
  return finishWalk(walk)
}

/** What is still to be done in this state: the same effects, with the same calls, as when they were first asked for. */
export function pendingEffects(pkg: AgentPackage, state: RunState, memory: Memory): Effect[] {
  const walk = startWalk(planOf(pkg), state, memory)
  return state.activations.flatMap((activation) =>
    activation.pending.flatMap((pending) => effectOf(walk, activation, pending) ?? []),
  )
}

function unchanged(state: RunState): Transition {
  const status = state.status === 'new' ? 'running' : state.status
  return { state, status, writes: {}, events: [], effects: [], steps: [] }
}

function start(walk: Walk, { input, entryPoint }: Input & { kind: 'start' }): void {
  const { graph } = walk.plan.manifest
  const node = entryPoint === undefined ? graph.entryNode : entryPointsOf(graph).get(entryPoint)
  const inputKeys = Object.keys(input)
  walk.events.push({ type: 'execution_started', nodeId: null, data: { entryPoint: entryPoint ?? null, inputKeys } })
  const strange = inputKeys.find((name) => !key.test(name))
  if (strange !== undefined || node === undefined) {
    const message = node ? `"${strange}" cannot be a key of memory` : `there is no entry point "${entryPoint}"`
    endRun(walk, 'failed', { code: 'input_invalid', message })
    return
  }
  Object.assign(walk.writes, input)
  begin(walk, node)
}
