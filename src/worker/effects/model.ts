import { recordModelCalls } from '../../features/models/usage.ts'
import { makeStorable } from '../storable.ts'
import type { EffectContext, EffectProviders, ModelEffect, Outcome } from './effect.ts'
import { equip } from './specs.ts'

/** One turn of a model. */
export async function askModel(
  providers: EffectProviders,
  context: EffectContext,
  effect: ModelEffect,
): Promise<Outcome> {
  const { result, calls } = await providers.callModel(await equip(providers, context, effect), context)
  return {
    input: { kind: 'model_result', call: effect.call, result: makeStorable(result) },
    record: async (tx) => {
      await recordModelCalls(tx, context.runId, calls)
      return []
    },
  }
}
