import type {
  Activation,
  Effect,
  EngineEvent,
  Failure,
  Memory,
  PendingCall,
  RunState,
  RunStatus,
  StepRecord,
  Transition,
} from './machine.ts'
import { approvalNode } from './nodes/approval.ts'
import { eventLoopNode } from './nodes/event-loop.ts'
import { functionNode } from './nodes/function.ts'
import type { Behaviour, Progress, Result, Scene } from './nodes/node.ts'
import type { EdgePlan, NodePlan, Plan } from './plan.ts'
import type { Node } from './schema.ts'

/** Attempts in one transition that end before they call anything: a transition cannot be interrupted, so it stays short. */
const maxIdleAttempts = 12

/** One transition in the making. Only the functions of this file and of machine.ts change it. */
export interface Walk {
  readonly plan: Plan
  readonly memory: Memory
  readonly writes: Memory
  readonly events: EngineEvent[]
  readonly effects: Effect[]
  readonly records: StepRecord[]
  steps: number
  visits: Readonly<Record<string, number>>
  activations: readonly Activation[]
  end: { status: RunStatus; error?: Failure } | null
}

const behaviours: { readonly [Type in Node['type']]: Behaviour<Node & { type: Type }> } = {
  function: functionNode,
  event_loop: eventLoopNode,
  approval: approvalNode,
}

export function behaviourOf(node: Node): Behaviour<Node> {
  return behaviours[node.type] as Behaviour<Node>
}

export function nodeOf(plan: Plan, id: string): NodePlan {
  const found = plan.nodes.get(id)
  if (!found) throw new Error(`this version of the package has no node "${id}"`)
  return found
}

export function startWalk(plan: Plan, state: RunState, memory: Memory): Walk {
  const { steps, visits, activations } = state
  return { plan, memory, writes: {}, events: [], effects: [], records: [], steps, visits, activations, end: null }
}

/** The transition that the walk has come to. */
export function finishWalk({ steps, visits, activations, end, ...walk }: Walk): Transition {
  const pending = activations.flatMap((activation) => activation.pending)
  const waiting = pending.length > 0 && pending.every(({ kind }) => kind === 'approval' || kind === 'message')
  const status = end?.status ?? (waiting ? 'waiting' : 'running')
  return {
    state: { status, steps, visits, activations },
    status,
    writes: walk.writes,
    events: walk.events,
    effects: walk.effects,
    steps: walk.records,
    ...(end?.error ? { error: end.error } : {}),
  }
}

export function sceneOf(walk: Pick<Walk, 'plan' | 'memory' | 'writes' | 'events'>, activation: Activation): Scene {
  const { step, nodeId } = activation
  return {
    plan: walk.plan,
    node: nodeOf(walk.plan, nodeId).node,
    read: (key) => readOf(walk, key),
    emit: (type, data) => walk.events.push({ type, nodeId, data: { step, ...data } }),
  }
}

/** Goes to a node, and on from it for as long as nodes end without having to wait for anything. */
export function enter(walk: Walk, nodeId: string, inputMapping: Activation['inputMapping']): void {
  const activation = visit(walk, nodeId, inputMapping)
  if (activation) settle(walk, activation, begin(walk, activation))
}

/** Takes in how far an attempt has come: its new calls become effects, or the run goes on after it. */
export function settle(walk: Walk, from: Activation, progress: Progress): void {
  let at = from
  let now = progress
  for (let idle = 0; 'result' in now; idle += 1) {
    const following = after(walk, at, now.result)
    if (!following) return
    if (idle > maxIdleAttempts) {
      const message = `${maxIdleAttempts} attempts in a row failed without calling anything, up to "${at.nodeId}"`
      endRun(walk, 'failed', { code: 'no_progress', message })
      return
    }
    at = following
    now = begin(walk, at)
  }
  const { activation } = now
  walk.activations = [...walk.activations.filter(({ step }) => step !== activation.step), activation]
  const known = new Set(from === at ? from.pending.map(({ call }) => call) : [])
  for (const pending of activation.pending) if (!known.has(pending.call)) perform(walk, activation, pending)
}

export function endRun(walk: Walk, status: RunStatus, error?: Failure): void {
  walk.activations = []
  walk.end = error ? { status, error } : { status }
  const type = status === 'failed' ? 'execution_failed' : 'execution_completed'
  walk.events.push({ type, nodeId: null, data: error ? { error } : { outcome: status } })
}

function visit(walk: Walk, nodeId: string, inputMapping: Activation['inputMapping']): Activation | null {
  const { node } = nodeOf(walk.plan, nodeId)
  const { maxSteps } = walk.plan.limits
  const visits = (Object.hasOwn(walk.visits, nodeId) ? (walk.visits[nodeId] as number) : 0) + 1
  if (node.maxVisits !== undefined && visits > node.maxVisits) {
    const message = `"${nodeId}" may be visited ${times(node.maxVisits)}, and this would be one more`
    endRun(walk, 'failed', { code: 'visit_limit', message })
    return null
  }
  if (walk.steps >= maxSteps) {
    const message = `the run may take ${maxSteps} steps, and "${nodeId}" would be one more`
    endRun(walk, 'failed', { code: 'step_limit', message })
    return null
  }
  walk.steps += 1
  walk.visits = { ...walk.visits, [nodeId]: visits }
  return { step: walk.steps, nodeId, attempt: 1, inputMapping, calls: 0, pending: [], loop: null }
}

function begin(walk: Walk, activation: Activation): Progress {
  const { step, nodeId, attempt } = activation
  const { node } = nodeOf(walk.plan, nodeId)
  walk.records.push({ step, nodeId, attempt, status: node.type === 'approval' ? 'waiting' : 'running' })
  const visits = walk.visits[nodeId]
  walk.events.push({ type: 'node_loop_started', nodeId, data: { step, attempt, visits, nodeType: node.type } })
  return behaviourOf(node).begin(sceneOf(walk, activation), activation)
}

/** What follows an attempt: another one, the next node, or null when the run has ended. */
function after(walk: Walk, activation: Activation, result: Result): Activation | null {
  const { step, nodeId, attempt } = activation
  const { node, terminal } = nodeOf(walk.plan, nodeId)
  const { outputs, rejected = false, error } = result
  walk.activations = walk.activations.filter((other) => other.step !== step)
  Object.assign(walk.writes, outputs)
  const failure = rejected ? null : error
  walk.records.push({
    step,
    nodeId,
    attempt,
    status: failure ? 'failed' : 'completed',
    ...(failure ? { error: failure } : {}),
  })
  const ended = { step, attempt, ok: !error, outputKeys: Object.keys(outputs) }
  walk.events.push({ type: 'node_loop_completed', nodeId, data: error ? { ...ended, error } : ended })
  if (error && !rejected && attempt <= (node.maxRetries ?? 0)) {
    return { ...activation, attempt: attempt + 1, pending: [], loop: null }
  }
  if (terminal && !error) return stop(walk, node.endsAs ?? 'completed')
  return leave(walk, node, result)
}

function leave(walk: Walk, node: Node, { error, rejected }: Result): Activation | null {
  const outcome = { ok: !error, error }
  let edge: EdgePlan | undefined
  try {
    edge = nodeOf(walk.plan, node.id).edges.find((candidate) => mayTake(walk, candidate, outcome))
  } catch (problem) {
    const message = problem instanceof Error ? problem.message : String(problem)
    return stop(walk, 'failed', { code: 'condition_failed', message })
  }
  if (edge) {
    const { id, source, target, condition, inputMapping = {} } = edge.edge
    walk.events.push({
      type: 'edge_traversed',
      nodeId: source,
      data: { ...(id ? { id } : {}), source, target, condition },
    })
    return visit(walk, target, inputMapping)
  }
  if (rejected) return stop(walk, 'rejected')
  if (error) return stop(walk, 'failed', { code: error.code, message: `"${node.id}" failed: ${error.message}` })
  return stop(walk, 'failed', { code: 'no_edge', message: `"${node.id}" succeeded, and no edge leads on` })
}

function mayTake(walk: Walk, { edge, holds }: EdgePlan, outcome: { ok: boolean; error: Failure | null }): boolean {
  if (edge.condition === 'always') return true
  if (edge.condition === 'on_success') return outcome.ok
  if (edge.condition === 'on_failure') return !outcome.ok
  const visits = Object.fromEntries([...walk.plan.nodes.keys()].map((id) => [id, 0]))
  try {
    return holds?.((key) => readOf(walk, key), { ...visits, ...walk.visits }, outcome) ?? false
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`the condition ${edge.expression} from "${edge.source}" to "${edge.target}" has no answer: ${why}`)
  }
}

function stop(walk: Walk, status: RunStatus, error?: Failure): null {
  endRun(walk, status, error)
  return null
}

function perform(walk: Walk, activation: Activation, pending: PendingCall): void {
  const effect = behaviourOf(nodeOf(walk.plan, activation.nodeId).node).effect(
    sceneOf(walk, activation),
    activation,
    pending,
  )
  walk.effects.push(effect)
  const { call, step, nodeId } = effect
  if (effect.kind === 'tool') {
    const data = { step, call, tool: effect.tool, inputKeys: Object.keys(effect.input) }
    walk.events.push({ type: 'tool_call_started', nodeId, data })
  }
  if (effect.kind === 'approval') {
    walk.events.push({ type: 'approval_requested', nodeId, data: { step, call, title: effect.title } })
  }
}

function readOf({ writes, memory }: Pick<Walk, 'writes' | 'memory'>, key: string): unknown {
  if (Object.hasOwn(writes, key)) return writes[key]
  return Object.hasOwn(memory, key) ? memory[key] : undefined
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}
