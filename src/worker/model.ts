import type { ModelResult } from '../engine/machine.ts'
import { AppError } from '../errors.ts'
import { keyFor, type ModelChoice, modelsFor } from '../features/models/choice.ts'
import type { ModelCall } from '../features/models/usage.ts'
import { attemptOf } from '../features/runs/repository.ts'
import { createModelServers, type ModelServers } from '../providers/model-servers.ts'
import type { Vault } from '../providers/vault.ts'
import type { Deltas } from './deltas.ts'
import type { EffectContext, ModelEffect } from './effects/effect.ts'
import { type Asked, askModelOnce, type Patience, patience } from './model-question.ts'

/** The result of a model, and what it took to get it. */
export interface Called {
  readonly result: ModelResult
  readonly calls: readonly ModelCall[]
}

/**
 * Asks the model that the tenant has for the purpose, then its fallbacks. A refusal or failure of a model server is a
 * result, never thrown; throws Postponed when the run is to be let go of while it waits for the tenant's turn.
 */
export type CallModel = (question: ModelEffect, context: EffectContext) => Promise<Called>

/** The deployment's own model, which serves tenants that have set none. */
export interface DeploymentModel {
  readonly baseUrl: string | undefined
  readonly name: string | undefined
  readonly apiKey: string | undefined
  /** host:port that may be reached although it is private, by tenants' models too. */
  readonly allow: readonly string[]
}

/** A model, how it is reached, and its key when it is needed. */
export interface ReadyModel {
  readonly choice: ModelChoice
  /** Null for the deployment's model. */
  readonly purpose: string | null
  readonly servers: ModelServers
  readonly key: () => Promise<string | undefined>
}

export interface CallerParts {
  readonly vault: Vault
  readonly deltas: Deltas
  readonly patience?: Patience
}

export function createModelCaller(own: DeploymentModel, parts: CallerParts): CallModel {
  const servers = createModelServers({ allow: own.allow })
  const deployment = deploymentOf(own)
  const readyFor = async ({ tenant }: EffectContext, purpose: string): Promise<ReadyModel[]> => {
    const choices = await modelsFor(tenant.rows, purpose)
    if (choices.length === 0) return deployment ? [deployment] : []
    return choices.map((choice) => ({
      choice,
      purpose: choice.purpose,
      servers,
      key: () => keyFor(tenant.rows, parts.vault, tenant.tenantId, choice),
    }))
  }
  return async (question, context) => {
    const { runId, tenant } = context
    const models = await readyFor(context, question.model)
    if (models.length === 0) return { result: { ok: false, error: notConfigured }, calls: [] }
    const attempt = await attemptOf(tenant.rows, runId, question.step)
    const calls: ModelCall[] = []
    const failures: Extract<ModelResult, { ok: false }>[] = []
    for (const [position, model] of models.entries()) {
      const asked = await ask(model, question, context, { ...parts, position })
      calls.push({ ...callOf(model, question, asked), position, attempt })
      if (asked.result.ok) return { result: asked.result, calls }
      failures.push(asked.result)
    }
    return { result: together(failures), calls }
  }
}

async function ask(
  model: ReadyModel,
  question: ModelEffect,
  context: EffectContext,
  { deltas, patience: given = patience, position }: CallerParts & { position: number },
): Promise<Asked> {
  const began = performance.now()
  try {
    return await askModelOnce(model, question, context, { deltas, patience: given, position })
  } catch (error) {
    context.signal.throwIfAborted()
    // Its key is missing, has expired, or may not be sent there: this model's failure, and no reason to stop.
    if (!(error instanceof AppError) || !/^(credential|secret|vault|egress)_/.test(error.code)) throw error
    const result = { ok: false as const, error: { code: error.code, message: error.message } }
    return { result, requests: 0, usage: { inputTokens: 0, outputTokens: 0 }, durationMs: performance.now() - began }
  }
}

/** The first failure, which is of the model that was meant, and the codes of its fallbacks. */
function together(failures: readonly Extract<ModelResult, { ok: false }>[]): ModelResult {
  const [first, ...others] = failures
  if (!first || others.length === 0) return first!
  const codes = others.map(({ error }) => error.code).join(', ')
  return { ok: false, error: { code: first.error.code, message: `${first.error.message}; its fallbacks: ${codes}` } }
}

function callOf({ choice, purpose }: ReadyModel, question: ModelEffect, asked: Asked) {
  const { call, step, nodeId, purpose: kind } = question
  const { provider, model, inputPrice, outputPrice } = choice
  const { result, usage, requests, durationMs } = asked
  const finish = result.ok ? result.finishReason : null
  const errorCode = result.ok ? null : result.error.code
  const asRecorded = { call, step, nodeId, kind, purpose, provider, model, inputPrice, outputPrice }
  return { ...asRecorded, ...usage, requests, durationMs, finish, errorCode }
}

function deploymentOf({ baseUrl, name: model, apiKey, allow }: DeploymentModel): ReadyModel | undefined {
  if (!baseUrl || !model) return undefined
  // The operator chose this address, so it may be a private one.
  const { hostname, port, protocol } = new URL(baseUrl)
  const own = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
  return {
    choice: {
      purpose: 'default',
      provider: 'openai_compatible',
      model,
      baseUrl,
      credential: null,
      temperature: 0,
      maxTokens: 4096,
      timeoutMs: 120_000,
      inputPrice: null,
      outputPrice: null,
    },
    purpose: null,
    servers: createModelServers({ allow: [own, ...allow] }),
    key: async () => apiKey,
  }
}

const notConfigured = {
  code: 'model_not_configured',
  message:
    'no model is configured: save settings for the purpose "default", or the operator sets ENGINEX_MODEL_BASE_URL and ENGINEX_MODEL_NAME for the workers',
}
