import t from 'tap'
import { type Effect, type Input, type Memory, next, pendingEffects, type RunState } from '../../src/engine/machine.ts'
import type { AgentPackage } from '../../src/engine/package.ts'
import { broken, ends } from './invariants.ts'
import { answerTo, type Played, play, textOf, throughJson } from './play.ts'
import { type Chance, chanceOf, randomPackage } from './random-package.ts'
import { randomWorld } from './random-world.ts'

const graphs = 10_000
const seed = 20260301
const input = { a: 1, b: 2, l: [3, 1, 2] }
/** How a run may end, and how often it has to among these graphs, so that all of it is tried. */
const wanted = {
  ...{ completed: 1000, rejected: 300, no_edge: 300, visit_limit: 100, step_limit: 20, tool_threw: 100 },
  ...{ iteration_limit: 50, condition_failed: 50, write_conflict: 50, choice_invalid: 20, too_many_items: 10 },
  ...{ stalled: 10, judge_failed: 50, escalated: 20 },
  ...{ token_limit: 50, tool_call_limit: 50, input_invalid: 50, model_unreachable: 50 },
}

t.test(`${graphs} random graphs`, async (t) => {
  const seen = new Map<string, number>()
  const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1)
  for (let index = 0; index < graphs; index++) {
    const chance = chanceOf(seed + index)
    const pkg = randomPackage(chance)
    const world = randomWorld(seed + index)
    const played = play(pkg, world, { input, pick: first, keep: freeze, watch: again(pkg, world) })
    const problem = broken(pkg, played) ?? otherRuns(pkg, seed + index, played, chance)
    if (problem) {
      t.fail(`graph ${index}: ${problem}`, { graph: pkg.manifest.graph, events: eventsOf(played) })
      return
    }
    count(played.last.error?.code ?? played.last.status)
    for (const type of new Set(eventsOf(played).map((event) => event.type))) count(type)
  }
  t.comment(JSON.stringify(Object.fromEntries([...seen].sort((a, b) => b[1] - a[1]))))
  for (const [end, times] of Object.entries(wanted))
    t.ok((seen.get(end) ?? 0) >= times, `${end}: ${seen.get(end)} times`)
  for (const type of [
    ...['branches_joined', 'branch_failed', 'map_item_failed', 'edges_chosen', 'goal_scored'],
    ...['client_input_requested', 'subagent_report', 'judge_verdict'],
  ])
    t.ok((seen.get(type) ?? 0) >= 500, `${type} in ${seen.get(type)} runs`)
  t.ok((seen.get('context_compacted') ?? 0) >= 20, `context_compacted in ${seen.get('context_compacted')} runs`)
})

/** The same package once more, in every other way that must make no difference, or keep what always holds. */
function otherRuns(pkg: AgentPackage, seed: number, played: Played, chance: Chance): string | undefined {
  const world = randomWorld(seed)
  const any = (open: readonly Effect[]) => chance.below(open.length)
  const checkpoint = chance.below(played.transitions.length - 1)
  const from = stateAfter(played, checkpoint)
  const problem =
    // Where it does not crash it is simply the same once more.
    differs('crashes', played.transitions, play(pkg, world, { input, pick: first, crash: () => chance.once(2) })) ??
    (ends.includes(from.state.status)
      ? undefined
      : differs(
          `from checkpoint ${checkpoint}`,
          played.transitions.slice(checkpoint + 1),
          play(pkg, world, { pick: first, from }),
        ))
  if (problem) return problem
  const shuffled = play(pkg, world, { input, pick: any, crash: () => chance.once(4), watch: late(pkg, chance) })
  return broken(pkg, shuffled) ?? otherEffects(pkg, played, chance)
}

/** The effect with the least call: the same one, in whatever order they are listed. */
function first(open: readonly Effect[]): number {
  return open.reduce((least, { call }, index) => (call < (open[least] as Effect).call ? index : least), 0)
}

/** At any point a new shell asks for exactly the effects that the old one had not finished. */
function otherEffects(pkg: AgentPackage, { transitions }: Played, chance: Chance): string | undefined {
  let memory: Memory = {}
  const asked = new Map<string, Effect>()
  for (const { state, writes, effects } of transitions) {
    memory = { ...memory, ...writes }
    for (const effect of effects) asked.set(effect.call, effect)
    if (!chance.once(3)) continue
    const calls = state.activations.flatMap(({ pending }) => pending).filter(({ kind }) => kind !== 'child')
    const open = calls.map(({ call }) => asked.get(call))
    if (JSON.stringify(pendingEffects(pkg, throughJson(state), memory)) !== JSON.stringify(open))
      return 'other effects are pending'
  }
  return undefined
}

/** After every transition: the same input again, those before it, an unknown one and a start change nothing. */
function again(pkg: AgentPackage, world: ReturnType<typeof randomWorld>) {
  const before: Input[] = []
  return (state: RunState, memory: Memory, given: Input) => {
    const after = next(pkg, state, memory, given)
    const now = { ...memory, ...after.writes }
    const asked = pendingEffects(pkg, state, memory)
    const calls = new Set(pendingEffects(pkg, after.state, now).map(({ call }) => call))
    const stale = asked.filter(({ call }) => !calls.has(call)).map((effect) => answerTo(effect, world))
    const stranger: Input = { kind: 'tool_result', call: '0.0', result: { ok: true, output: {} } }
    const start: Input = { kind: 'start', input }
    for (const one of [given, ...before.slice(-1), ...stale, stranger, start]) {
      const { state: same, effects, events, writes, steps } = next(pkg, after.state, now, one)
      const changes = effects.length + events.length + steps.length + Object.keys(writes).length
      if (same !== after.state || changes > 0)
        throw new Error(`${one.kind} changed something, though nothing waits for it`)
    }
    before.push(given)
  }
}

/** Sometimes the time of the run is over: wherever it is, it ends with nothing in hand and nothing of its own left. */
function late(pkg: AgentPackage, chance: Chance) {
  return (state: RunState, memory: Memory, given: Input) => {
    if (given.kind === 'start' || !chance.once(5)) return
    const over = next(pkg, state, memory, { kind: 'deadline' })
    const left = Object.entries({ ...memory, ...over.writes }).filter(
      ([key, value]) => key.startsWith('$') && value !== null,
    )
    const inHand = over.state.activations.length + over.state.forks.length + over.effects.length + left.length
    if (!ends.includes(over.status) || inHand > 0)
      throw new Error(`after its deadline it is ${over.status}, with ${inHand} in hand`)
  }
}

function stateAfter({ transitions }: Played, index: number): { state: RunState; memory: Memory } {
  const writes = transitions.slice(0, index + 1).map((transition) => transition.writes)
  return throughJson({ state: transitions[index]!.state, memory: Object.assign({}, ...writes) })
}

function differs(what: string, transitions: Played['transitions'], other: Played): string | undefined {
  const same =
    transitions.length === other.transitions.length &&
    transitions.every((one, index) => textOf(one) === textOf(other.transitions[index]!))
  return same ? undefined : `${what}: another trace`
}

function eventsOf({ transitions }: Played) {
  return transitions.flatMap((one) => one.events)
}

/** Instead of a passage through JSON: whoever changes what it was given, throws. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const part of Object.values(value)) freeze(part)
  return Object.freeze(value)
}
