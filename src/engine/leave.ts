import { visit } from './activations.ts'
import type { Activation, Failure } from './machine.ts'
import type { Result } from './nodes/node.ts'
import type { EdgePlan } from './plan.ts'
import { endRun, nodeOf, readFor, type Walk } from './walk.ts'

/** Goes on after a node that is done: along an edge, or the run ends. */
export function leave(walk: Walk, activation: Activation, result: Result): void {
  const { node, terminal } = nodeOf(walk.plan, activation.nodeId)
  if (terminal && !result.error) {
    endRun(walk, node.endsAs ?? 'completed')
    return
  }
  let way: EdgePlan | undefined
  try {
    way = wayOn(walk, activation, result)
  } catch (problem) {
    const message = problem instanceof Error ? problem.message : String(problem)
    endRun(walk, 'failed', { code: 'condition_failed', message })
    return
  }
  if (way) take(walk, way)
  else stop(walk, node.id, result)
}

function wayOn(walk: Walk, activation: Activation, { error }: Result): EdgePlan | undefined {
  const outcome = { ok: !error, error }
  const { edges } = nodeOf(walk.plan, activation.nodeId)
  return edges.find((edge) => mayTake(walk, activation, edge, outcome))
}

function take(walk: Walk, { edge }: EdgePlan): void {
  const { id, source, target, condition, inputMapping = {} } = edge
  const data = { ...(id ? { id } : {}), source, target, condition }
  walk.events.push({ type: 'edge_traversed', nodeId: source, data })
  visit(walk, target, inputMapping)
}

function stop(walk: Walk, nodeId: string, { error, rejected }: Result): void {
  if (rejected) endRun(walk, 'rejected')
  else if (error) endRun(walk, 'failed', { code: error.code, message: `"${nodeId}" failed: ${error.message}` })
  else endRun(walk, 'failed', { code: 'no_edge', message: `"${nodeId}" succeeded, and no edge leads on` })
}

function mayTake(
  walk: Walk,
  activation: Activation,
  { edge, holds }: EdgePlan,
  outcome: { ok: boolean; error: Failure | null },
): boolean {
  if (edge.condition === 'always') return true
  if (edge.condition === 'on_success') return outcome.ok
  if (edge.condition === 'on_failure') return !outcome.ok
  const visits = Object.fromEntries([...walk.plan.nodes.keys()].map((id) => [id, 0]))
  try {
    return holds?.((key) => readFor(walk, activation, key), { ...visits, ...walk.visits }, outcome) ?? false
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`the condition ${edge.expression} from "${edge.source}" to "${edge.target}" has no answer: ${why}`)
  }
}
