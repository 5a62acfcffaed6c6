import { enterPhase } from './activations.ts'
import { evaluate } from './evaluate.ts'
import { endWay, fork, goTo } from './forks.ts'
import type { Activation, Failure } from './machine.ts'
import { readFor } from './memory.ts'
import type { Result } from './nodes/node.ts'
import type { EdgePlan, NodePlan } from './plan.ts'
import { nodeOf, type Walk } from './walk.ts'

/** Edges that are taken, or the question which of them are, or null when no edge leads on. */
type Ways =
  | { readonly take: readonly EdgePlan[] }
  | { readonly ask: readonly EdgePlan[]; readonly priority: number; readonly take: readonly EdgePlan[] }

/** Goes on after a node that is done, along its edges; or this way through the graph ends. */
export function leave(walk: Walk, activation: Activation, result: Result): void {
  walk.last = activation
  const { node, terminal } = nodeOf(walk.plan, activation.nodeId)
  if (terminal && !result.error) endWay(walk, activation.place, { status: node.endsAs ?? 'completed', abrupt: false })
  else follow(walk, activation, result, Number.POSITIVE_INFINITY)
}

/** Goes on where a model has chosen these edges, by their numbers; when it chose none, by edges of less priority. */
export function leaveBy(walk: Walk, activation: Activation, chosen: readonly number[]): void {
  walk.last = activation
  const { phase, nodeId } = activation
  if (phase?.kind !== 'choose') throw new Error('there was nothing to choose')
  const { edges } = nodeOf(walk.plan, nodeId)
  const take = edges.filter((_, at) => phase.taken.includes(at) || chosen.includes(at))
  if (take.length > 0) takeAll(walk, activation, take)
  else follow(walk, activation, { error: null, outputs: {} }, phase.priority)
}

function follow(walk: Walk, activation: Activation, result: Result, below: number): void {
  const { place } = activation
  const plan = nodeOf(walk.plan, activation.nodeId)
  let ways: Ways | null
  try {
    ways = waysOn(walk, activation, plan, result, below)
  } catch (problem) {
    const message = problem instanceof Error ? problem.message : String(problem)
    endWay(walk, place, { status: 'failed', error: { code: 'condition_failed', message }, abrupt: true })
    return
  }
  if (!ways) endWay(walk, place, { ...endWithout(plan, result), abrupt: true })
  else if ('ask' in ways) {
    const numbers = (edges: readonly EdgePlan[]) => edges.map((edge) => plan.edges.indexOf(edge))
    const { priority, ask, take } = ways
    enterPhase(walk, activation, { kind: 'choose', priority, options: numbers(ask), taken: numbers(take) })
  } else takeAll(walk, activation, ways.take)
}

/** Of the edges below a priority that may be taken: all of the highest priority, of a router one. */
function waysOn(walk: Walk, activation: Activation, plan: NodePlan, result: Result, below: number): Ways | null {
  const { node } = plan
  const groups = Map.groupBy(plan.edges, ({ edge }) => edge.priority ?? 0)
  for (const [priority, group] of groups) {
    if (priority >= below) continue
    const open = group.filter((edge) => mayTake(walk, activation, edge, result))
    const [first] = open
    if (!first) continue
    if (node.type === 'router') {
      const asks = node.prompt !== undefined && !result.error && open.length > 1
      return asks ? { ask: open, priority, take: [] } : { take: [first] }
    }
    const ask = open.filter(({ edge }) => edge.condition === 'llm_decide')
    const take = open.filter((edge) => !ask.includes(edge))
    return ask.length > 0 ? { ask, priority, take } : { take }
  }
  return null
}

/** A model is asked after a success only: it never overrules a person's no. */
function mayTake(walk: Walk, activation: Activation, { edge, holds }: EdgePlan, { error }: Result): boolean {
  if (edge.condition === 'always') return true
  if (edge.condition === 'on_success' || edge.condition === 'llm_decide') return !error
  if (edge.condition === 'on_failure') return error !== null
  try {
    return holds !== null && evaluate(walk, holds, (key) => readFor(walk, activation, key), { ok: !error, error })
  } catch (problem) {
    const why = problem instanceof Error ? problem.message : String(problem)
    throw new Error(`the condition ${edge.expression} from "${edge.source}" to "${edge.target}" has no answer: ${why}`)
  }
}

function takeAll(walk: Walk, activation: Activation, edges: readonly EdgePlan[]): void {
  for (const { edge } of edges) {
    const { id, source, target, condition } = edge
    const data = { step: activation.step, ...(id ? { id } : {}), source, target, condition }
    walk.events.push({ type: 'edge_traversed', nodeId: source, data })
  }
  const [first] = edges
  if (edges.length > 1) fork(walk, activation, edges)
  else if (first) goTo(walk, activation.place, first.edge.target, first.edge.inputMapping ?? {})
}

function endWithout(
  { node }: NodePlan,
  { error, rejected }: Result,
): { status: 'rejected' | 'failed'; error?: Failure } {
  if (rejected) return { status: 'rejected' }
  if (error) return { status: 'failed', error: { code: error.code, message: `"${node.id}" failed: ${error.message}` } }
  return { status: 'failed', error: { code: 'no_edge', message: `"${node.id}" succeeded, and no edge leads on` } }
}
