import { setTimeout as delay } from 'node:timers/promises'
import type { Effect, ModelResult } from '../engine/machine.ts'

type Question = Extract<Effect, { kind: 'model' }>

/** Asks the model for the next turn. A refusal or failure of the model server is a result, never thrown. */
export type CallModel = (question: Question, signal: AbortSignal) => Promise<ModelResult>

export interface ModelSettings {
  readonly baseUrl: string | undefined
  readonly name: string | undefined
  readonly apiKey: string | undefined
  /** host:port that may be reached although it is private. */
  readonly allow: readonly string[]
}

/** Waits before the second and the third attempt, when the model server is busy or away. */
const patienceMs = [1000, 5000]
const passing: readonly string[] = ['model_rate_limited', 'model_unavailable']
const timeoutMs = 120_000
const maxTokens = 4096

/**
 * The deployment's one model, whatever purpose a node names. Without settings every call fails as model_not_configured.
 * Client libraries are loaded by the first call: most runs of a deployment may never need them.
 */
export function createModelCaller(
  { baseUrl, name: model, apiKey, allow }: ModelSettings,
  waitsMs: readonly number[] = patienceMs,
): CallModel {
  if (!baseUrl || !model) return async () => ({ ok: false, error: notConfigured })
  // The operator chose this address, so it may be a private one; the guard still holds for where it redirects to.
  const { hostname, port, protocol } = new URL(baseUrl)
  const own = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
  const loaded = once(async () => {
    const [{ callModel }, { createGuardedFetch }] = await Promise.all([
      import('../providers/model.ts'),
      import('../providers/http.ts'),
    ])
    return { callModel, fetch: createGuardedFetch({ allow: [own, ...allow] }) }
  })
  return async ({ messages, tools }, signal) => {
    const { callModel, fetch } = await loaded()
    const request = { baseUrl, apiKey, model, messages, tools, maxTokens, temperature: 0, timeoutMs }
    for (const waitMs of waitsMs) {
      const answer = await callModel(request, { fetch, signal })
      if (answer.ok || !passing.includes(answer.error.code)) return answer
      await delay(waitMs, undefined, { signal })
    }
    return await callModel(request, { fetch, signal })
  }
}

const notConfigured = {
  code: 'model_not_configured',
  message: 'no model is configured: the operator sets ENGINEX_MODEL_BASE_URL and ENGINEX_MODEL_NAME for the workers',
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
