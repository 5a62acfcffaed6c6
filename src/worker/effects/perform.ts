import { isMcpTool } from '../../engine/platform-tools.ts'
import { AppError } from '../../errors.ts'
import type { EffectContext, EffectProviders, ModelEffect, Outcome, PerformTool, ToolEffect } from './effect.ts'
import { httpTool } from './http-tool.ts'
import { mcpTool } from './mcp-tool.ts'
import { askModel } from './model.ts'
import { packageTool } from './package-tool.ts'
import { reportTool } from './report-tool.ts'
import { sessionTools } from './session-tools.ts'
import { skillTool } from './skill-tool.ts'

/** Tools of the platform, by name; every other name is a tool of an MCP server or of the package. */
const platformTools: Readonly<Record<string, PerformTool>> = {
  write_report: reportTool,
  load_skill: skillTool,
  http: httpTool,
  ...sessionTools,
}

const aboutCredentials: readonly string[] = ['credential_missing', 'credential_expired', 'credentials_required']

/**
 * Performs one effect. Whatever a tool, a model or a document does wrong comes back as the machine's input; throws only
 * when this process or the database is at fault, or the signal was aborted.
 */
export async function perform(
  providers: EffectProviders,
  context: EffectContext,
  effect: ToolEffect | ModelEffect,
): Promise<Outcome> {
  const outcome = await attempt(providers, context, effect)
  const { input, record } = outcome
  const error = 'result' in input && !input.result.ok ? input.result.error : null
  if (!error || !aboutCredentials.includes(error.code)) return outcome
  const data = { step: effect.step, call: effect.call, code: error.code, message: error.message }
  const told = { type: 'credentials_required', nodeId: effect.nodeId, data }
  return { input, record: async (tx) => [...((await record?.(tx)) ?? []), told] }
}

async function attempt(
  providers: EffectProviders,
  context: EffectContext,
  effect: ToolEffect | ModelEffect,
): Promise<Outcome> {
  const { kind, call } = effect
  try {
    if (kind === 'model') return await askModel(providers, context, effect)
    const tool = Object.hasOwn(platformTools, effect.tool) ? platformTools[effect.tool] : undefined
    return await (tool ?? (isMcpTool(effect.tool) ? mcpTool : packageTool))(providers, context, effect)
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'database_unavailable') throw error
    const result = { ok: false, error: { code: error.code as string, message: error.message } } as const
    return { input: { kind: kind === 'model' ? 'model_result' : 'tool_result', call, result } }
  }
}
