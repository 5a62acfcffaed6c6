import { Value } from 'typebox/value'
import type { Failure, ToolResult, Transition } from '../../src/engine/machine.ts'
import {
  type Effect,
  type Input,
  type Memory,
  type ModelResult,
  next,
  type RunStatus,
  startState,
} from '../../src/engine/machine.ts'
import type { AgentPackage } from '../../src/engine/package.ts'
import { parseSkill } from '../../src/engine/skills.ts'
import { ReportDocument } from '../../src/features/reports/schema.ts'
import type { Sandbox } from '../../src/providers/sandbox.ts'

export type ApprovalEffect = Extract<Effect, { kind: 'approval' }>
export type ModelEffect = Extract<Effect, { kind: 'model' }>
export type ToolEffect = Extract<Effect, { kind: 'tool' }>

/** What a person answers; `decidedBy` and `decidedAt` are filled in. */
export type Answer =
  | { decision: 'approve' | 'reject'; reason: string }
  | { decision: 'edit'; reason: string; values: unknown }

export interface Driven {
  readonly status: RunStatus
  readonly error: Failure | undefined
  readonly memory: Memory
  readonly visited: readonly string[]
  readonly approvals: readonly ApprovalEffect[]
  /** What was asked in the chat. */
  readonly prompts: readonly string[]
  /** Null when the goal has no criteria, or they could not be told. */
  readonly score: number | null
  /** Each as the platform takes it. */
  readonly reports: readonly ReportDocument[]
  /** Time spent in the sandbox, all tools together. */
  readonly toolMs: number
}

export interface DriveOptions {
  readonly sandbox: Sandbox
  /** Answers the approvals, counted from 0. Without it an approval fails the test. */
  readonly decide?: (approval: ApprovalEffect, count: number) => Answer
  readonly model?: (effect: ModelEffect) => Promise<ModelResult>
  /** Answers questions in the chat, counted from 0. Without it a question fails the test. */
  readonly reply?: (prompt: string, count: number) => string
  /** Answers tools that are none of the package's, such as those of an MCP server. */
  readonly tool?: (effect: ToolEffect) => Promise<ToolResult>
}

/**
 * Runs a package to its end with the real machine and the real sandbox, but no database and no queue. Between steps
 * everything passes through JSON, as it does in a checkpoint.
 */
export async function drive(pkg: AgentPackage, input: Memory, options: DriveOptions): Promise<Driven> {
  const seen = {
    approvals: [] as ApprovalEffect[],
    prompts: [] as string[],
    reports: [] as ReportDocument[],
    visited: [] as string[],
    toolMs: 0,
  }
  let memory: Memory = {}
  let transition = next(pkg, startState(), memory, { kind: 'start', input })
  let effects: Effect[] = []
  for (;;) {
    memory = throughJson({ ...memory, ...transition.writes })
    const calls = transition.state.activations.flatMap(({ pending }) => pending.map(({ call }) => call))
    effects = [...effects, ...transition.effects].filter(({ call }) => calls.includes(call))
    seen.visited.push(...transition.steps.filter((step) => step.status !== 'running').map((step) => step.nodeId))
    const effect = effects.shift()
    if (!effect) return { ...seen, ...endOf(transition), memory }
    transition = next(pkg, throughJson(transition.state), memory, await perform(pkg, effect, options, seen))
  }
}

type Seen = { approvals: ApprovalEffect[]; prompts: string[]; reports: ReportDocument[]; toolMs: number }

async function perform(pkg: AgentPackage, effect: Effect, options: DriveOptions, seen: Seen): Promise<Input> {
  if (effect.kind === 'tool') {
    return { kind: 'tool_result', call: effect.call, result: await runTool(pkg, effect, options, seen) }
  }
  if (effect.kind === 'model') {
    if (!options.model) throw new Error('this package asks for a model')
    return { kind: 'model_result', call: effect.call, result: await options.model(effect) }
  }
  const at = '2026-03-02T12:00:00.000Z'
  if (effect.kind === 'message') {
    if (!options.reply) throw new Error(`nobody answers "${effect.prompt}"`)
    const text = options.reply(effect.prompt, seen.prompts.push(effect.prompt) - 1)
    return { kind: 'message', call: effect.call, text, from: 'olga@acme.test', at }
  }
  seen.approvals.push(effect)
  if (!options.decide) throw new Error(`nobody decides "${effect.title}"`)
  const answer = options.decide(effect, seen.approvals.length - 1)
  return { kind: 'decision', approval: effect.call, ...answer, decidedBy: 'user:olga', decidedAt: at }
}

async function runTool(
  pkg: AgentPackage,
  effect: ToolEffect,
  { sandbox, tool }: DriveOptions,
  seen: Seen,
): Promise<ToolResult> {
  if (effect.tool === 'write_report') {
    const report: unknown = throughJson(effect.input.report)
    Value.Assert(ReportDocument, report)
    seen.reports.push(report)
    return { ok: true, output: {} }
  }
  const entry = pkg.manifest.tools?.find((tool) => tool.name === effect.tool)?.file
  if (effect.tool === 'load_skill') return loadSkill(pkg, effect)
  if (!entry && tool) return await tool(effect)
  if (!entry) throw new Error(`no tool ${effect.tool}`)
  const started = performance.now()
  const limits = { timeoutMs: effect.timeoutMs, memoryMb: 64, outputBytes: 16_000_000 }
  const result = await sandbox.run({ files: pkg.files, entry, input: effect.input, limits })
  seen.toolMs += performance.now() - started
  return result
}

function loadSkill({ files }: AgentPackage, { input }: ToolEffect): ToolResult {
  const read = parseSkill(files[`skills/${String(input['name'])}/SKILL.md`] ?? '')
  if (!read.ok) throw new Error(`no skill ${input['name']}`)
  return { ok: true, output: read.skill.body }
}

function endOf({ status, error, score = null }: Transition): Pick<Driven, 'status' | 'error' | 'score'> {
  return { status, error, score }
}

function throughJson<T>(value: T): T {
  return value === undefined ? value : JSON.parse(JSON.stringify(value))
}
