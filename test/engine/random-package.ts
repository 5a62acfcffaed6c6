import type { AgentPackage } from '../../src/engine/package.ts'
import { type Draft, packageOf, smallest } from './packages.ts'

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

/** Of memory; `l` is a list. */
export const keys = ['a', 'b', 'c', 'd', 'l']
const expressions = [
  ...['result.ok', '!result.ok', 'a == null', 'b != null && b > 2', 'visits.n1 < 2', 'visits.n0 + visits.n1 >= 3'],
  ...['c == null || c < 5', 'result.ok && a > b', 'a + 1 > 3', 'size([a, b]) == 2 && d == 1', 'size(l) > 2'],
  ...['has(result.error) || d > 1', '!result.ok && result.error.code == "rejected"'],
]

const onwards = ['on_success', 'on_success', 'on_success', 'always', 'conditional', 'llm_decide']
const sideways = [
  'on_failure',
  'on_failure',
  'conditional',
  'on_success',
  'on_success',
  'on_success',
  'always',
  'llm_decide',
]

/** What a random package leaves out. */
export interface Without {
  /** Whatever counts over all branches at once, so that the order in which they go makes a difference. */
  readonly counting?: boolean
}

/**
 * A sound package of 2 to 10 nodes of every type, with forks and joins, ways back, ways ahead, early ends, retries and
 * limits.
 */
export function randomPackage(chance: Chance, without: Without = {}): AgentPackage {
  const draft = smallest()
  const count = 2 + chance.below(9)
  const nodes: Draft[] = Array.from({ length: count }, (_, index) => randomNode(chance, `n${index}`))
  const ends = [count - 1]
  if (chance.once(3)) ends.push(nodes.push(randomNode(chance, `n${count}`)) - 1)
  const edges = randomEdges(chance, nodes, ends, without)
  for (const end of ends) nodes[end].endsAs = chance.once(3) ? 'rejected' : 'completed'
  for (const node of [...nodes]) {
    if (node.type !== 'map') continue
    // Of several that fail, the first in time decides.
    if (without.counting) node.onItemFailure = 'continue'
    nodes.push(helperOf(chance, node))
  }
  for (const node of [...nodes]) for (const id of node.subAgents ?? []) nodes.push(subagentOf(chance, id))
  draft.input = { type: 'object', properties: Object.fromEntries(keys.map((key) => [key, {}])) }
  draft.goal.successCriteria = Array.from({ length: chance.once(3) ? chance.below(3) : 0 }, (_, index) => {
    const own = chance.once(2) ? { expression: chance.pick(expressions) } : {}
    return { id: `c${index}`, description: 'x', metric: 'x', target: 'x', weight: chance.below(2), ...own }
  })
  draft.graph = {
    entryNode: 'n0',
    nodes,
    edges,
    terminalNodes: ends.map((end) => `n${end}`),
    pauseNodes: nodes.filter(({ id }) => /^n/.test(id) && chance.once(6)).map(({ id }) => id),
    conflictPolicy: chance.pick(['last', 'first', 'error']),
    branchFailurePolicy: without.counting ? 'continue_others' : chance.pick(['fail_all', 'continue_others']),
    loopConfig: randomLimits(chance, without),
  }
  return packageOf(draft)
}

function randomLimits(chance: Chance, { counting }: Without): Draft {
  const ofRun = !counting && chance.once(4)
  return {
    maxSteps: counting ? 1000 : 5 + chance.below(40),
    maxIterations: 2 + chance.below(6),
    maxToolCallsPerTurn: 1 + chance.below(6),
    ...(chance.once(2) ? { maxHistoryTokens: 1000 } : {}),
    ...(ofRun ? { maxTokens: 1 + chance.below(200), maxToolCalls: 1 + chance.below(20) } : {}),
  }
}

/** A way from each node to the next, so that each can reach an end, and others between any. */
function randomEdges(chance: Chance, nodes: readonly Draft[], ends: readonly number[], without: Without): Draft[] {
  const edges: Draft[] = []
  const last = new Map<number, number>()
  const link = (from: number, to: number, conditions: readonly string[]) => {
    const asks = nodes[from].type !== 'router' || nodes[from].prompt
    const condition = chance.pick(conditions.filter((one) => asks || one !== 'llm_decide'))
    const before = last.get(from)
    // The same priority as before, and so beside it; or less.
    const priority = before === undefined ? 9 : chance.once(4) ? before - 1 : before
    const twins = edges.some((one) => one.source === `n${from}` && one.target === `n${to}` && one.priority === priority)
    if (ends.includes(from) || twins) return
    last.set(from, priority)
    const known = without.counting ? expressions.filter((one) => !one.includes('visits')) : expressions
    const expression = condition === 'conditional' ? { expression: chance.pick(known) } : {}
    const mapped = nodes[to].type === 'map' ? undefined : nodes[to].inputKeys?.[0]
    const inputMapping = mapped && chance.once(4) ? { inputMapping: { [mapped]: chance.pick(keys) } } : {}
    const id = `e${edges.length}`
    const ends_ = { source: `n${from}`, target: `n${to}` }
    edges.push({ id, ...ends_, condition, priority, description: 'x', ...expression, ...inputMapping })
    if (to <= from) nodes[to].maxVisits = 1 + chance.below(4)
  }
  const [end = 0] = ends
  for (let index = 0; index < end; index++) link(index, index + 1, onwards)
  for (const early of ends.slice(1)) link(chance.below(end), early, sideways)
  for (let more = chance.below(end * 3); more > 0; more--) {
    const from = chance.below(end)
    // Mostly ahead, so that branches meet.
    const to = chance.once(4) && !without.counting ? chance.below(end + 1) : from + 1 + chance.below(end - from)
    link(from, to, sideways)
  }
  return edges
}

function randomNode(chance: Chance, id: string): Draft {
  const some = () => keys.filter(() => chance.once(2))
  const outputKeys = some()
  const nullableOutputKeys = outputKeys.filter(() => !chance.once(3))
  const common = { id, inputKeys: some(), maxRetries: chance.once(3) ? chance.below(3) : 0 }
  switch (chance.below(8)) {
    case 0:
    case 1:
      return {
        ...common,
        ...modelNode(chance),
        type: 'event_loop',
        ...talking(chance, id),
        outputKeys,
        nullableOutputKeys,
      }
    case 2:
      return {
        ...common,
        type: 'approval',
        title: '?',
        message: '{{a}}',
        evidence: some(),
        proposal: chance.pick(keys),
      }
    case 3:
      return { id, type: 'router', inputKeys: some(), ...(chance.once(2) ? { prompt: 'x' } : {}) }
    case 4: {
      const how = { concurrency: 1 + chance.below(3), maxItems: 2 + chance.below(6) }
      const onItemFailure = chance.pick(['fail', 'continue'])
      const outputs = [chance.pick(keys)]
      const { maxRetries } = common
      return {
        id,
        type: 'map',
        over: 'l',
        itemKey: `i_${id}`,
        each: `h_${id}`,
        maxRetries,
        ...how,
        onItemFailure,
        outputKeys: outputs,
      }
    }
    default:
      return { ...common, type: 'function', tool: 'echo', outputKeys, nullableOutputKeys }
  }
}

function modelNode(chance: Chance): Draft {
  return {
    ...{ systemPrompt: 'x', tools: ['echo'] },
    ...(chance.once(4) ? { successCriteria: 'x' } : {}),
    ...(chance.once(4) ? { maxToolCalls: 1 + chance.below(6) } : {}),
    ...(chance.once(4) ? { maxTokens: 1 + chance.below(120) } : {}),
  }
}

/** With whom a model talks: people, and models that work for it. */
function talking(chance: Chance, id: string): Draft {
  return {
    ...(chance.once(2) ? { clientFacing: true } : {}),
    ...(chance.once(2) ? { subAgents: [`s_${id}`, `t_${id}`] } : {}),
  }
}

function subagentOf(chance: Chance, id: string): Draft {
  const outputKeys = ['a', ...keys.filter((key) => key !== 'a' && chance.once(3))]
  const inputKeys = keys.filter(() => chance.once(2))
  return { id, type: 'subagent', inputKeys, ...modelNode(chance), outputKeys, maxRetries: chance.below(2) }
}

/** The node that works on the items of a map. */
function helperOf(chance: Chance, { each, itemKey }: Draft): Draft {
  let node = randomNode(chance, each)
  while (['router', 'map'].includes(node.type)) node = randomNode(chance, each)
  return { ...node, inputKeys: [...node.inputKeys, itemKey] }
}
