import type { Effect, Memory, RunState, StepRecord, Transition } from '../../src/engine/machine.ts'
import { conversationTokens } from '../../src/engine/nodes/text.ts'
import type { AgentPackage } from '../../src/engine/package.ts'
import type { Node } from '../../src/engine/schema.ts'
import type { Played } from './play.ts'
import { unpaired } from './talk.ts'

export const ends = ['completed', 'rejected', 'failed']

/** The first thing that is wrong with a run, whatever its package: something lost, doubled or over its limit. */
export function broken(pkg: AgentPackage, played: Played): string | undefined {
  let memory: Memory = {}
  for (const [index, transition] of played.transitions.entries()) {
    memory = { ...memory, ...transition.writes }
    const problem = badTransition(pkg, transition) ?? badState(transition.state) ?? badMemory(pkg, transition, memory)
    if (problem) return `after transition ${index}: ${problem}`
  }
  return badEnd(played) ?? overLimit(pkg, played) ?? badBranches(pkg, played) ?? badConversation(pkg, played)
}

/** Everything that waits is in one place, and every place has something that waits. */
export function badState({ status, activations, forks }: RunState): string | undefined {
  if (ends.includes(status)) return activations.length + forks.length > 0 ? 'it ended with work in hand' : undefined
  const where = (place: RunState['activations'][number]['place']) => (place ? `${place.fork}/${place.branch}` : 'root')
  const busy = [...activations.filter(({ parent }) => !parent), ...forks].map(({ place }) => where(place))
  const open = forks.flatMap(({ step, branches }) =>
    branches.flatMap((branch, index) => (branch.status === 'running' ? [`${step}/${index}`] : [])),
  )
  for (const place of ['root', ...open]) {
    const count = busy.filter((one) => one === place).length
    if (count !== 1) return `${count} things are under way in ${place}`
  }
  const strange = busy.find((place) => place !== 'root' && !open.includes(place))
  if (strange) return `something is under way in ${strange}, which has ended`
  for (const { nodeId, pending } of activations) if (pending.length === 0) return `${nodeId} waits for nothing`
  const asked = activations.flatMap(({ step, pending }) =>
    pending.filter(({ kind }) => kind === 'child').map(({ call }) => `${step} ${call}`),
  )
  const children = activations.flatMap(({ parent }) => (parent ? [`${parent.step} ${parent.call}`] : []))
  if (asked.sort().join() !== children.sort().join()) return `children ${children} for calls ${asked}`
  return undefined
}

function badTransition({ manifest }: AgentPackage, { state, status, effects }: Transition): string | undefined {
  const { maxTokens = Number.POSITIVE_INFINITY, maxToolCalls = Number.POSITIVE_INFINITY } =
    manifest.graph.loopConfig ?? {}
  const { inputTokens, outputTokens, toolCalls } = state.used
  if (effects.some(({ kind }) => kind === 'model') && inputTokens + outputTokens >= maxTokens)
    return `a model was asked after ${inputTokens + outputTokens} tokens`
  if (toolCalls > maxToolCalls) return `${toolCalls} tool calls`
  const pending = state.activations.flatMap((activation) => activation.pending).filter(({ kind }) => kind !== 'child')
  const strange = effects.find(({ call }) => !pending.some((one) => one.call === call))
  if (strange) return `${strange.call} is asked for, and nothing waits for it`
  if (!ends.includes(status) && pending.length === 0) return `it is ${status} and waits for nothing`
  const asksOnly = pending.every(({ kind }) => kind === 'approval' || kind === 'message')
  if ((status === 'waiting') !== (pending.length > 0 && asksOnly)) return status
  const text = JSON.stringify(state)
  if (JSON.stringify(JSON.parse(text)) !== text) return 'the state is not JSON'
  const parts = state.activations.length + state.forks.flatMap(({ branches }) => branches).length
  const conversations = state.activations.reduce((sum, { loop }) => sum + JSON.stringify(loop).length, 0)
  const size = text.length - conversations
  return size > 1000 + parts * 500 ? `the state of ${parts} parts has ${size} characters` : undefined
}

/** Decisions are people's, and nothing of the machine's own outlives its use. */
function badMemory({ manifest }: AgentPackage, { status }: Transition, memory: Memory): string | undefined {
  for (const [key, value] of Object.entries(memory)) {
    const own = key.startsWith('$')
    if (own && value !== null && ends.includes(status)) return `${key} is left`
    const decides = manifest.graph.nodes.some(({ id, type }) => type === 'approval' && id === key.split('.').at(-1))
    const by = decides && value !== null && (value as { decidedBy?: unknown }).decidedBy
    if (decides && value !== null && by !== 'user-1') return `the decision ${key} is ${JSON.stringify(value)}`
  }
  return undefined
}

function badEnd({ last, transitions, effects }: Played): string | undefined {
  if (!ends.includes(last.status)) return `nothing is left to do, and it is ${last.status}`
  if (new Set(effects.map((effect) => effect.call)).size < effects.length) return 'a call id is used twice'
  const records = new Map<string, StepRecord>()
  for (const record of transitions.flatMap(({ steps }) => steps))
    records.set(`${record.step}.${record.attempt}`, record)
  const open = [...records.values()].find(({ status }) => status === 'running' || status === 'waiting')
  return open && `step ${open.step} is left ${open.status}`
}

function overLimit({ manifest }: AgentPackage, { last, effects }: Played): string | undefined {
  const { nodes, loopConfig = {} } = manifest.graph
  const { maxSteps = 100, maxIterations = 10 } = loopConfig
  const total = Object.values(last.state.visits).reduce((sum, count) => sum + count, 0)
  if (total > maxSteps) return `${total} steps`
  for (const node of nodes) {
    const visits = last.state.visits[node.id] ?? 0
    if (visits > (node.maxVisits ?? Number.POSITIVE_INFINITY)) return `${visits} visits of ${node.id}`
    const isTurn = (effect: Effect) => effect.nodeId === node.id && effect.kind === 'model' && effect.purpose === 'turn'
    // What people say begins the count anew.
    const turns = new Map<number, number>()
    for (const effect of effects.filter(({ nodeId }) => nodeId === node.id)) {
      if (effect.kind === 'message') turns.set(effect.step, 0)
      if (isTurn(effect)) turns.set(effect.step, (turns.get(effect.step) ?? 0) + 1)
      const most = maxIterations * ((node.maxRetries ?? 0) + 1)
      if ((turns.get(effect.step) ?? 0) > most) return `more than ${most} turns of ${node.id}`
    }
    const map = node.type === 'map' ? node : undefined
    if (map && effects.filter(({ nodeId }) => nodeId === map.each).length > 1000) return `endless items of ${node.id}`
  }
  return undefined
}

/** Every conversation is one that providers take, and none is longer than it may be; no visit uses more than it may. */
function badConversation({ manifest }: AgentPackage, { transitions, effects }: Played): string | undefined {
  const { maxHistoryTokens = 32_000 } = manifest.graph.loopConfig ?? {}
  for (const effect of effects) {
    if (effect.kind !== 'model' || effect.purpose !== 'turn') continue
    const problem = unpaired(effect.messages)
    if (problem) return `${effect.call}: ${problem}`
    const tokens = conversationTokens(effect.messages)
    if (tokens > maxHistoryTokens) return `${effect.call}: ${tokens} tokens`
  }
  for (const { nodeId, spent } of transitions.flatMap(({ state }) => state.activations)) {
    const node = manifest.graph.nodes.find(({ id }) => id === nodeId) as Node & { type: 'event_loop' }
    const helps = (node.subAgents?.length ?? 0) > 0 // whose calls count for it, and are not asked for by it
    if (!helps && (spent?.toolCalls ?? 0) > (node.maxToolCalls ?? Number.POSITIVE_INFINITY))
      return `${spent?.toolCalls} calls of ${nodeId}`
  }
  return undefined
}

/** Every fork comes together once, unless a failure has ended it. */
function badBranches({ manifest }: AgentPackage, { last, transitions }: Played): string | undefined {
  const events = transitions.flatMap((transition) => transition.events)
  const of = (type: string) => events.filter((event) => event.type === type)
  const joined = of('branches_joined').map(({ data }) => data['step'])
  if (new Set(joined).size < joined.length) return 'a fork came together twice'
  for (const { data } of of('branches_joined')) {
    const start = of('branches_started').find((event) => event.data['step'] === data['step'])
    const branches = data['branches'] as { status: string }[]
    if (branches.some(({ status }) => status === 'running')) return `fork ${data['step']} did not wait for a branch`
    if ((start?.data['branches'] as unknown[] | undefined)?.length !== branches.length)
      return `fork ${data['step']} lost a branch`
  }
  const together = manifest.graph.branchFailurePolicy === 'continue_others'
  const went = of('branch_failed').find(({ data }) => !together && joined.includes(data['step']))
  if (went) return `fork ${went.data['step']} went on without a branch`
  const failed = last.status === 'failed' || !together
  const lost = of('branches_started').find(({ data }) => !joined.includes(data['step']))
  return lost && !failed ? `fork ${lost.data['step']} never came together` : undefined
}
