import t from 'tap'
import { type Effect, type Input, type Memory, next, pendingEffects, type RunState } from '../../src/engine/machine.ts'
import type { AgentPackage } from '../../src/engine/package.ts'
import { type Played, play, throughJson } from './play.ts'
import { type Chance, chanceOf, randomPackage, randomWorld } from './random-package.ts'

const graphs = 2500
const seed = 20260301
const input = { a: 1, b: 2 }
const ends = ['completed', 'rejected', 'failed']

t.test(`${graphs} random graphs`, async (t) => {
  const seen = new Map<string, number>()
  for (let index = 0; index < graphs; index++) {
    const chance = chanceOf(seed + index)
    const pkg = randomPackage(chance)
    const world = randomWorld(seed + index)
    const options = { input }
    const played = play(pkg, world, { ...options, keep: freeze, watch: repeats(pkg) })
    const problem =
      limitsBroken(pkg, played) ??
      differs('the same inputs', played, play(pkg, world, options)) ??
      differsAtEnd(
        'effects in another order',
        played,
        play(pkg, world, { ...options, pick: (open) => chance.below(open.length) }),
      ) ??
      differsAtEnd(
        'crashes',
        played,
        play(pkg, world, { ...options, crash: () => chance.once(2), pick: (open) => chance.below(open.length) }),
      ) ??
      crashesBroken(pkg, played, chance)
    if (problem) {
      t.fail(`graph ${index}: ${problem}`, {
        graph: pkg.manifest.graph,
        events: played.transitions.flatMap((one) => one.events),
      })
      return
    }
    const end = played.last.error?.code ?? played.last.status
    seen.set(end, (seen.get(end) ?? 0) + 1)
  }
  t.comment(JSON.stringify(Object.fromEntries([...seen].sort((a, b) => b[1] - a[1]))))
  for (const end of [
    'completed',
    'rejected',
    'no_edge',
    'visit_limit',
    'tool_threw',
    'iteration_limit',
    'condition_failed',
  ])
    t.ok((seen.get(end) ?? 0) >= 5, `${end}: ${seen.get(end)} times`)
})

/** Every limit of the package, and that the run is over when nothing is left to do. */
function limitsBroken({ manifest }: AgentPackage, { last, transitions, effects }: Played): string | undefined {
  const { nodes, loopConfig } = manifest.graph
  if (!ends.includes(last.status)) return `nothing is left to do, and it is ${last.status}`
  if (last.state.activations.length > 0) return 'it ended with work in hand'
  if (last.state.steps > loopConfig!.maxSteps!) return `${last.state.steps} steps`
  for (const node of nodes) {
    const visits = last.state.visits[node.id] ?? 0
    if (visits > (node.maxVisits ?? Number.POSITIVE_INFINITY)) return `${visits} visits of ${node.id}`
    const most = (node.type === 'event_loop' ? loopConfig!.maxIterations! : 1) * ((node.maxRetries ?? 0) + 1) * visits
    const turns = effects.filter(
      (effect) => effect.nodeId === node.id && effect.kind !== (node.type === 'event_loop' ? 'tool' : 'none'),
    )
    if (turns.length > most) return `${turns.length} effects of ${node.id}, more than ${most}`
  }
  if (new Set(effects.map((effect) => effect.call)).size < effects.length) return 'a call id is used twice'
  for (const { state, status } of transitions) {
    const pending = state.activations.flatMap((activation) => activation.pending)
    if (pending.length > loopConfig!.maxToolCallsPerTurn! && pending.length > 1)
      return `${pending.length} calls at once`
    if (!ends.includes(status) && pending.length === 0) return `it is ${status} and waits for nothing`
    if ((status === 'waiting') !== (pending.length > 0 && pending.every((call) => call.kind === 'approval')))
      return status
  }
  return undefined
}

/** After every transition the same input again, and an unknown one, must change nothing. */
function repeats(pkg: AgentPackage) {
  return (state: RunState, memory: Memory, given: Input) => {
    const after = next(pkg, state, memory, given)
    const now = { ...memory, ...after.writes }
    const stranger: Input = { kind: 'tool_result', call: '0.0', result: { ok: true, output: {} } }
    for (const again of [given, stranger]) {
      const { state: same, effects, events, writes, steps } = next(pkg, after.state, now, again)
      const changes = effects.length + events.length + steps.length + Object.keys(writes).length
      if (same !== after.state || changes > 0) throw new Error(`${again.kind} changed something the second time`)
    }
  }
}

/** At every point a new shell asks for exactly the effects that the old one had not finished. */
function crashesBroken(pkg: AgentPackage, { transitions }: Played, chance: Chance): string | undefined {
  let memory: Memory = {}
  const asked = new Map<string, Effect>()
  for (const { state, writes, effects } of transitions) {
    memory = { ...memory, ...writes }
    for (const effect of effects) asked.set(effect.call, effect)
    const open = state.activations.flatMap((activation) => activation.pending.map(({ call }) => asked.get(call)))
    if (!chance.once(3)) continue
    if (JSON.stringify(pendingEffects(pkg, throughJson(state), memory)) !== JSON.stringify(open))
      return 'other effects are pending'
  }
  return undefined
}

function differs(what: string, { transitions }: Played, other: Played): string | undefined {
  return JSON.stringify(transitions) === JSON.stringify(other.transitions) ? undefined : `${what}: another trace`
}

function differsAtEnd(what: string, one: Played, other: Played): string | undefined {
  const byCall = (a: Effect, b: Effect) => (a.call < b.call ? -1 : 1)
  const end = ({ last, memory, effects }: Played) =>
    JSON.stringify([last.status, last.error, memory, last.state, [...effects].sort(byCall)])
  return end(one) === end(other) ? undefined : `${what}: another end`
}

/** Instead of a passage through JSON: whoever changes what it was given, throws. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const part of Object.values(value)) freeze(part)
  return Object.freeze(value)
}
