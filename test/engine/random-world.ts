import type { Effect } from '../../src/engine/machine.ts'
import type { Draft } from './packages.ts'
import { broken, done, set, turn, type World } from './play.ts'
import { type Chance, chanceOf, keys } from './random-package.ts'

/**
 * Answers that depend on nothing but the seed and the call, so that a repeated effect is answered alike; with `by`, on
 * what it says of the effect.
 */
export function randomWorld(seed: number, by: (effect: Effect) => string = ({ call }) => call): World {
  const chanceFor = (effect: Effect) =>
    chanceOf([...by(effect)].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), seed))
  const list = (chance: Chance) => Array.from({ length: chance.below(5) }, () => chance.below(9))
  const value = (chance: Chance, key: string) => (key === 'l' && !chance.once(6) ? list(chance) : chance.below(9))
  const values = (chance: Chance) =>
    Object.fromEntries(keys.filter(() => !chance.once(8)).map((key) => [key, value(chance, key)]))
  return {
    tool(effect) {
      const chance = chanceFor(effect)
      if (chance.once(8)) return broken()
      const long = chance.once(2) ? { long: 'x'.repeat(chance.below(6000)) } : {}
      return done(chance.once(20) ? 'no object' : { ...values(chance), ...long })
    },
    model(effect) {
      const chance = chanceFor(effect)
      if (chance.once(12)) return { ok: false, error: { code: 'model_unreachable', message: 'no answer' } }
      if (effect.purpose !== 'turn') return { ...turn('hm'), object: randomObject(chance, effect.output) }
      const calls = Array.from({ length: chance.below(4) }, (): [string, unknown] =>
        chance.once(2) ? randomCall(chance, effect.tools) : set(chance.pick(keys), chance.below(9)),
      )
      const known = effect.tools.find(({ name }) => name === 'set_output')?.inputSchema as Draft
      if (known && !chance.once(3))
        for (const key of known.properties.key.enum) calls.push(set(key, value(chance, key)))
      return turn(chance.once(6) ? '' : 'hm', ...calls)
    },
    reply: (effect) => `${chanceFor(effect).below(9)}`,
    decide(effect) {
      const chance = chanceFor(effect)
      return { decision: chance.pick(['approve', 'edit', 'reject', 'approve'] as const), values: chance.below(9) }
    },
  }
}

function randomCall(chance: Chance, tools: readonly { readonly name: string }[]): [string, unknown] {
  const name = chance.pick(['echo', 'echo', 'unknown', ...tools.map((tool) => tool.name)])
  if (name === 'delegate') {
    const spec = (tools.find((tool) => tool.name === name) as Draft).inputSchema
    return [name, { agent: chance.pick(spec.properties.agent.enum), task: 'x' }]
  }
  if (name === 'ask_user') return [name, { question: '?', evidence: chance.once(2) ? [chance.pick(keys)] : [] }]
  return [name, { n: chance.below(9) }]
}

/** An object as the schema wants it, most of the time. */
function randomObject(chance: Chance, schema: Draft): unknown {
  if (chance.once(12)) return chance.pick([null, 'e0', {}, { edges: 'e0' }, { edge: 'nowhere', edges: ['nowhere'] }])
  if (schema.type === 'number') return chance.below(11) / 10
  if (schema.enum) return chance.pick(schema.enum)
  if (schema.type === 'string') return 'hm'
  if (schema.type === 'array') return schema.items.enum.filter(() => chance.once(2))
  return Object.fromEntries(
    Object.keys(schema.properties).map((key) => [key, randomObject(chance, schema.properties[key])]),
  )
}
