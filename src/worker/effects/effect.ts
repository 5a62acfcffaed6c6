import type { TenantQueries } from '../../db/queries.ts'
import type { Effect, EngineEvent, Input } from '../../engine/machine.ts'
import type { AgentPackage } from '../../engine/package.ts'
import type { RunTenant } from '../../features/runs/progress.ts'
import type { Files } from '../../providers/files.ts'
import type { Mcp } from '../../providers/mcp.ts'
import type { Sandbox } from '../../providers/sandbox.ts'
import type { Vault } from '../../providers/vault.ts'
import type { CallModel } from '../model.ts'
import { makeStorable } from '../storable.ts'

export interface EffectProviders {
  readonly files: Files
  readonly vault: Vault
  readonly sandbox: Sandbox
  /** For addresses that a tenant chose. */
  readonly outgoing: typeof fetch
  readonly mcp: Mcp
  readonly callModel: CallModel
}

/** The run on whose behalf an effect is performed. */
export interface EffectContext {
  /** Its rows are behind app.enter_run: they throw `conflict` once another worker has the run. */
  readonly tenant: RunTenant
  readonly runId: string
  readonly sessionId: string
  readonly agent: AgentPackage
  /** ISO 8601: the checkpoint's time, so that a repeated effect sees what the first attempt saw. */
  readonly at: string
  /**
   * Whether the run may remember a result of this size (features/runs/size.ts) besides all else. Then its room is taken
   * until the result is recorded, so that calls side by side do not each count on the same.
   */
  readonly fits: (size: number) => boolean
  /** Aborted when nobody wants the result any more. */
  readonly signal: AbortSignal
  /** Whether the run is to be let go of. An effect that waits for its turn, with nothing done yet, throws Postponed then. */
  readonly letGo: () => boolean
}

/** The effect did nothing and is to be performed by whoever holds the run next. */
export class Postponed extends Error {}

/** What the machine is told, and what goes into the same transaction. */
export interface Outcome {
  readonly input: Input
  readonly record?: (tx: TenantQueries) => Promise<readonly EngineEvent[]>
}

export type ToolEffect = Extract<Effect, { kind: 'tool' }>
export type ModelEffect = Extract<Effect, { kind: 'model' }>

/** Performs the calls of one tool, or of one family of tools. Throws AppError for what the tool, or its author, did wrong. */
export type PerformTool = (providers: EffectProviders, context: EffectContext, effect: ToolEffect) => Promise<Outcome>

/** The result of a tool that went wrong, bounded and storable. */
export function failed(call: string, code: string, message: string): Outcome {
  const error = { code, message: makeStorable(message).slice(0, 2000) }
  return { input: { kind: 'tool_result', call, result: { ok: false, error } } }
}
