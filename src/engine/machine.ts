import type { Manifest } from './schema.ts'

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

export type Policy = NonNullable<Manifest['approvalPolicies']>[number]

export type ToolResult = { ok: true; output: unknown } | { ok: false; error: Failure }

export type ModelResult =
  | {
      ok: true
      text: string
      toolCalls: readonly ToolCall[]
      usage: { inputTokens: number; outputTokens: number }
      finishReason: string
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

/** What the shell has to do. `call` is unique within the run and the same again after a takeover. */
export type Effect =
  | { kind: 'tool'; call: string; step: number; nodeId: string; tool: string; input: Memory; timeoutMs: number }
  | {
      kind: 'model'
      call: string
      step: number
      nodeId: string
      /** A purpose such as "default"; which provider and model serve it is the organization's setting. */
      model: string
      messages: readonly Message[]
      tools: readonly ToolSpec[]
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
      policy: Policy | null
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

/** An effect whose result has not come yet. `toolCallId` is the model's own id when a model asked for the tool. */
export interface PendingCall {
  readonly call: string
  readonly kind: Effect['kind']
  readonly toolCallId?: string
}

/** Where the conversation of an event_loop node stands. */
export interface LoopState {
  readonly iteration: number
  readonly messages: readonly Message[]
  /** Set by the model so far; they reach memory when the node completes. */
  readonly outputs: Memory
}

/** One node being worked on. */
export interface Activation {
  /** Counts visits of nodes over the whole run, from 1. */
  readonly step: number
  readonly nodeId: string
  readonly attempt: number
  /** Key as the node sees it -> key in memory, given by the edge that led here. */
  readonly inputMapping: Readonly<Record<string, string>>
  /** Effects asked for so far, over all attempts; the next call id is one more. */
  readonly calls: number
  readonly pending: readonly PendingCall[]
  readonly loop: LoopState | null
}

/** Everything but memory that the next transition depends on. Plain JSON; treat it as opaque. */
export interface RunState {
  readonly status: 'new' | RunStatus
  readonly steps: number
  readonly visits: Readonly<Record<string, number>>
  /** A list, so that branches can run side by side one day; now at most one. */
  readonly activations: readonly Activation[]
}

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
}
