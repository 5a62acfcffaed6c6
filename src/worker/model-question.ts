import { setTimeout as delay } from 'node:timers/promises'
import type { ModelResult } from '../engine/machine.ts'
import { addressOf } from '../features/models/choice.ts'
import { takeCall } from '../features/models/rate.ts'
import type { ModelAnswer, ModelFailure, ModelRequest } from '../providers/model.ts'
import type { Deltas } from './deltas.ts'
import { type EffectContext, type ModelEffect, Postponed } from './effects/effect.ts'
import type { ReadyModel } from './model.ts'

/** How long to wait for what, in milliseconds. */
export interface Patience {
  /** Before the second, the third, … attempt, when the server is busy or away. */
  readonly retryMs: readonly number[]
  /** A server that wants to be left alone for longer is not asked again. */
  readonly longestMs: number
  /** For the tenant's turn, before it is asked whether the run is still to be held. */
  readonly turnMs: number
}

export const patience: Patience = { retryMs: [1000, 5000], longestMs: 30_000, turnMs: 1000 }

/** One model's answer to a question, with all that it took. */
export interface Asked {
  readonly result: ModelResult
  /** Requests to its server. */
  readonly requests: number
  /** Of all of them. */
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number }
  readonly durationMs: number
}

interface Asking {
  readonly deltas: Deltas
  readonly patience: Patience
  readonly position: number
}

const passing: readonly string[] = ['model_rate_limited', 'model_unavailable']

/**
 * Asks one model, within the tenant's rate, again when its server is busy or away. Throws AppError when there is no key
 * to ask with, and Postponed.
 */
export async function askModelOnce(
  model: ReadyModel,
  question: ModelEffect,
  context: EffectContext,
  asking: Asking,
): Promise<Asked> {
  const request = requestOf(model, await model.key(), question, context.runId, asking.position)
  const total = { inputTokens: 0, outputTokens: 0 }
  let requests = 0
  const began = performance.now()
  const once = async (wanted: ModelRequest): Promise<ModelAnswer | ModelFailure> => {
    await waitForTurn(context, asking.patience)
    requests += 1
    const { signal } = context
    const onDelta = question.purpose === 'turn' ? asking.deltas.open(context, question) : undefined
    const answer = await model.servers.call(wanted, { signal, ...(onDelta ? { onDelta } : {}) })
    if (answer.ok) {
      total.inputTokens += answer.usage.inputTokens
      total.outputTokens += answer.usage.outputTokens
    }
    return answer
  }
  const ask = (wanted: ModelRequest) => withRetries(() => once(wanted), asking.patience, context.signal)
  const answer = await answerTo(request, question, ask)
  return { result: toResult(answer, total), requests, usage: total, durationMs: performance.now() - began }
}

async function answerTo(
  request: ModelRequest,
  { output }: ModelEffect,
  ask: (request: ModelRequest) => Promise<ModelAnswer | ModelFailure>,
): Promise<(ModelAnswer & { readonly object?: unknown }) | ModelFailure> {
  if (!output) return await ask(request)
  const { askForObject } = await import('../providers/model-object.ts')
  return await askForObject({ ...request, output }, ask)
}

function requestOf(
  { choice }: ReadyModel,
  apiKey: string | undefined,
  { call, messages, tools, output }: ModelEffect,
  runId: string,
  position: number,
): ModelRequest {
  const { provider, model, maxTokens, temperature, timeoutMs } = choice
  // Another model is another question, also to a server that takes both for the same.
  const idempotencyKey = position === 0 ? `${runId}:${call}` : `${runId}:${call}:fallback-${position}`
  const asked = { messages, tools, ...(output ? { output } : {}) }
  return {
    ...asked,
    provider,
    model,
    maxTokens,
    temperature,
    timeoutMs,
    apiKey,
    baseUrl: addressOf(choice),
    idempotencyKey,
  }
}

async function withRetries(
  ask: () => Promise<ModelAnswer | ModelFailure>,
  { retryMs, longestMs }: Patience,
  signal: AbortSignal,
): Promise<ModelAnswer | ModelFailure> {
  for (const backoffMs of retryMs) {
    const answer = await ask()
    if (answer.ok || !passing.includes(answer.error.code)) return answer
    const waitMs = Math.max(backoffMs, answer.retryAfterMs ?? 0)
    if (waitMs > longestMs) return answer
    await delay(waitMs, undefined, { signal })
  }
  return await ask()
}

/** However many runs of the tenant, and workers, call models: together they keep to its rate, and wait their turn. */
async function waitForTurn({ tenant, signal, letGo }: EffectContext, { turnMs }: Patience): Promise<void> {
  for (;;) {
    const waitMs = await takeCall(tenant.rows, turnMs)
    await delay(Math.min(waitMs, turnMs), undefined, { signal })
    if (waitMs <= turnMs) return
    if (letGo()) throw new Postponed()
  }
}

function toResult(
  answer: (ModelAnswer & { readonly object?: unknown }) | ModelFailure,
  usage: Asked['usage'],
): ModelResult {
  if (!answer.ok) return { ok: false, error: answer.error }
  const { text, toolCalls, finishReason, object } = answer
  return { ok: true, text, toolCalls, usage, finishReason, ...(object === undefined ? {} : { object }) }
}
