import { makeStorable } from '../storable.ts'
import type { EffectContext, EffectProviders, ModelEffect, Outcome } from './effect.ts'

/** One turn of a model. */
export async function askModel(
  { callModel }: EffectProviders,
  context: EffectContext,
  effect: ModelEffect,
): Promise<Outcome> {
  const result = await callModel(effect, context.signal)
  return { input: { kind: 'model_result', call: effect.call, result: makeStorable(result) } }
}
