import type { TenantQueries } from '../db/queries.ts'
import type { Effect, EngineEvent, Input } from '../engine/machine.ts'
import type { AgentPackage } from '../engine/package.ts'
import { AppError } from '../errors.ts'
import { recordReport, writeReport } from '../features/reports/service.ts'
import { maxRunSize, sizeOf } from '../features/runs/size.ts'
import type { Files } from '../providers/files.ts'
import type { Sandbox } from '../providers/sandbox.ts'
import type { CallModel } from './model.ts'
import { isStorable, makeStorable } from './storable.ts'

/** Whatever a manifest says, a tool gets no more than this. */
const maxTimeoutMs = 60_000
const memoryMb = 64
const outputBytes = 16 * 1024 * 1024

export interface EffectProviders {
  readonly files: Files
  readonly sandbox: Sandbox
  readonly callModel: CallModel
}

/** The run on whose behalf an effect is performed. */
export interface EffectContext {
  readonly tenantId: string
  readonly runId: string
  readonly sessionId: string
  readonly agent: AgentPackage
  /** ISO 8601: the checkpoint's time, so that a repeated effect sees what the first attempt saw. */
  readonly at: string
  /** Of all that the run remembers now; see features/runs/size.ts. */
  readonly memorySize: number
  readonly signal: AbortSignal
}

/** What the machine is told, and what goes into the same transaction. */
export interface Outcome {
  readonly input: Input
  readonly record?: (tx: TenantQueries) => Promise<readonly EngineEvent[]>
}

type ToolEffect = Extract<Effect, { kind: 'tool' }>
type ModelEffect = Extract<Effect, { kind: 'model' }>

/**
 * Performs one effect. Whatever a tool, a model or a document does wrong comes back as the machine's input; throws only
 * when this process or the database is at fault, or the signal was aborted.
 */
export async function perform(
  providers: EffectProviders,
  context: EffectContext,
  effect: ToolEffect | ModelEffect,
): Promise<Outcome> {
  const { kind, call } = effect
  try {
    if (kind === 'model') return await askModel(providers, context, effect)
    if (effect.tool === 'write_report') return await report(providers, context, effect)
    return await runTool(providers, context, effect)
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'database_unavailable') throw error
    const result = { ok: false, error: { code: error.code as string, message: error.message } } as const
    return { input: { kind: kind === 'model' ? 'model_result' : 'tool_result', call, result } }
  }
}

async function runTool({ sandbox }: EffectProviders, context: EffectContext, effect: ToolEffect): Promise<Outcome> {
  const { call, tool, input, timeoutMs } = effect
  const entry = context.agent.manifest.tools?.find((one) => one.name === tool)?.file
  if (!entry) return failed(call, 'tool_unknown', `the package has no tool ${tool}`)
  const ran = await sandbox.run(
    {
      holder: context.tenantId,
      files: context.agent.files,
      entry,
      input,
      seed: `${context.runId}:${call}`,
      now: context.at,
      limits: { timeoutMs: Math.min(timeoutMs, maxTimeoutMs), memoryMb, outputBytes },
    },
    context.signal,
  )
  if (!ran.ok) {
    const { code, message, file, line } = ran.error
    return failed(call, code, `${tool}${file ? ` (${file}${line ? `:${line}` : ''})` : ''}: ${message}`)
  }
  const text = JSON.stringify(ran.output ?? null)
  if (!isStorable(text)) return failed(call, 'tool_invalid', `${tool}: its output holds a NUL or half a character`)
  if (context.memorySize + sizeOf(text) > maxRunSize) {
    return failed(call, 'run_too_large', `${tool}: the run would remember more than a run may`)
  }
  return { input: { kind: 'tool_result', call, result: { ok: true, output: ran.output } } }
}

async function report({ files }: EffectProviders, context: EffectContext, effect: ToolEffect): Promise<Outcome> {
  const { call, nodeId, input } = effect
  const { tenantId, runId, sessionId } = context
  const written = await writeReport(files, { tenantId, runId, call }, input.report)
  const names = written.files.map((file) => file.name)
  return {
    input: { kind: 'tool_result', call, result: { ok: true, output: { files: names } } },
    record: async (tx) => {
      const reportId = await recordReport(tx, { sessionId, runId, call, ...written })
      return [{ type: 'report_written', nodeId, data: { reportId, title: written.title, files: names } }]
    },
  }
}

async function askModel({ callModel }: EffectProviders, context: EffectContext, effect: ModelEffect): Promise<Outcome> {
  const result = await callModel(effect, context.signal)
  return { input: { kind: 'model_result', call: effect.call, result: makeStorable(result) } }
}

function failed(call: string, code: string, message: string): Outcome {
  const error = { code, message: makeStorable(message).slice(0, 2000) }
  return { input: { kind: 'tool_result', call, result: { ok: false, error } } }
}
