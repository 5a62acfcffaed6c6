import type { AgentPackage } from '../../src/engine/package.ts'
import { type Draft, packageOf, smallest } from './packages.ts'
import { broken, done, set, turn, type World } from './play.ts'

/** Numbers that look random and are the same for the same seed (mulberry32). */
export interface Chance {
  /** A whole number from 0 to below `end`. */
  below(end: number): number
  /** True once in `times`. */
  once(times: number): boolean
  pick<T>(list: readonly T[]): T
}

export function chanceOf(seed: number): Chance {
  let state = seed >>> 0
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (end: number) => Math.floor(random() * end)
  return { below, once: (times) => below(times) === 0, pick: (list) => list[below(list.length)]! }
}

const keys = ['a', 'b', 'c', 'd']
const expressions = [
  ...['result.ok', '!result.ok', 'a == null', 'b != null && b > 2', 'visits.n1 < 2', 'visits.n0 + visits.n1 >= 3'],
  ...[
    'c == null || c < 5',
    'result.ok && a > b',
    'a + 1 > 3',
    'size([a, b]) == 2 && d == 1',
    'has(result.error) || d > 1',
  ],
]

const onwards = ['on_success', 'on_success', 'on_success', 'always', 'conditional']

/** A sound package of 2 to 9 nodes of every type, with ways back, ways ahead, retries and limits. */
export function randomPackage(chance: Chance): AgentPackage {
  const draft = smallest()
  const count = 2 + chance.below(8)
  const nodes: Draft[] = Array.from({ length: count }, (_, index) => randomNode(chance, `n${index}`))
  const edges: Draft[] = []
  const priorities = new Map<number, number>()
  const link = (from: number, to: number, condition: string) => {
    const priority = priorities.get(from) ?? 0
    priorities.set(from, priority + 1)
    const expression = condition === 'conditional' ? { expression: chance.pick(expressions) } : {}
    const mapped = nodes[to].inputKeys?.[0]
    const inputMapping = mapped && chance.once(4) ? { inputMapping: { [mapped]: chance.pick(keys) } } : {}
    edges.push({ source: `n${from}`, target: `n${to}`, condition, priority, ...expression, ...inputMapping })
    if (to <= from) nodes[to].maxVisits = 1 + chance.below(4)
  }
  for (let index = 0; index < count - 1; index++) link(index, index + 1, chance.pick(onwards))
  for (let more = chance.below(count * 2); more > 0; more--) {
    const condition = chance.pick(['on_failure', 'conditional', 'conditional', 'on_success'])
    link(chance.below(count - 1), chance.below(count), condition)
  }
  nodes[count - 1].endsAs = chance.once(3) ? 'rejected' : 'completed'
  const loopConfig = {
    maxSteps: 5 + chance.below(30),
    maxIterations: 1 + chance.below(4),
    maxToolCallsPerTurn: 1 + chance.below(3),
  }
  draft.input = { type: 'object', properties: Object.fromEntries(keys.map((key) => [key, {}])) }
  draft.graph = { entryNode: 'n0', nodes, edges, terminalNodes: [`n${count - 1}`], loopConfig }
  return packageOf(draft)
}

function randomNode(chance: Chance, id: string): Draft {
  const some = () => keys.filter(() => chance.once(2))
  const outputKeys = some()
  const nullableOutputKeys = outputKeys.filter(() => chance.once(3))
  const common = { id, inputKeys: some(), maxRetries: chance.once(3) ? chance.below(3) : 0 }
  switch (chance.below(4)) {
    case 0:
      return { ...common, type: 'event_loop', systemPrompt: 'x', tools: ['echo'], outputKeys, nullableOutputKeys }
    case 1:
      return {
        ...common,
        type: 'approval',
        title: '?',
        message: '{{a}}',
        evidence: some(),
        proposal: chance.pick(keys),
      }
    default:
      return { ...common, type: 'function', tool: 'echo', outputKeys, nullableOutputKeys }
  }
}

/** Answers that depend on nothing but the seed and the call, so that a repeated effect is answered alike. */
export function randomWorld(seed: number): World {
  const chanceFor = (call: string) => chanceOf([...call].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), seed))
  const values = (chance: Chance) =>
    Object.fromEntries(keys.filter(() => !chance.once(8)).map((key) => [key, chance.below(9)]))
  return {
    tool({ call }) {
      const chance = chanceFor(call)
      return chance.once(5) ? broken() : done(chance.once(12) ? 'no object' : values(chance))
    },
    model({ call }) {
      const chance = chanceFor(call)
      if (chance.once(10)) return { ok: false, error: { code: 'model_unreachable', message: 'no answer' } }
      const calls = Array.from({ length: chance.below(6) }, (): [string, unknown] =>
        chance.once(4)
          ? [chance.pick(['echo', 'unknown']), { n: chance.below(9) }]
          : set(chance.pick(keys), chance.below(9)),
      )
      return turn('hm', ...calls)
    },
    decide({ call }) {
      const chance = chanceFor(call)
      return { decision: chance.pick(['approve', 'edit', 'reject'] as const), values: chance.below(9) }
    },
  }
}
