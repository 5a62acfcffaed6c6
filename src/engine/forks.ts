import { abandon, visit } from './activations.ts'
import { type Ending, finishRun } from './ending.ts'
import type { Activation } from './machine.ts'
import { branchOf, changeBranch, forkOf, forksAround } from './memory.ts'
import { merge } from './merge.ts'
import type { EdgePlan } from './plan.ts'
import type { Branch, Fork, Place } from './state.ts'
import type { Walk } from './walk.ts'

/** Goes on beside itself: one branch for each edge. */
export function fork(walk: Walk, { step, nodeId, place }: Activation, edges: readonly EdgePlan[]): void {
  const targets = edges.map(({ edge }) => edge.target)
  const branches = targets.map((target): Branch => ({ nodeId: target, status: 'running', keys: [] }))
  const join = walk.plan.joinOf(targets)
  walk.forks = [...walk.forks, { step, nodeId, join, branches, ...(place ? { place } : {}) }]
  walk.events.push({ type: 'branches_started', nodeId, data: { step, branches: targets, join } })
  for (const [branch, { edge }] of edges.entries()) {
    goTo(walk, { fork: step, branch }, edge.target, edge.inputMapping ?? {})
  }
}

/** Goes to a node; where it is the join of a fork, the branch ends and the node waits for the others. */
export function goTo(walk: Walk, place: Place | undefined, nodeId: string, mapping: Activation['inputMapping']): void {
  if (walk.end) return
  const joins = place && forksAround(walk, place).some(({ join }) => join === nodeId)
  if (joins) {
    changeBranch(walk, place, { status: 'arrived', at: nodeId, inputMapping: mapping })
    joinWhenAllEnded(walk, forkOf(walk, place))
  } else visit(walk, place, nodeId, mapping)
}

/** Ends one way through the graph: a branch, or the run where it has not forked. */
export function endWay(walk: Walk, place: Place | undefined, ending: Ending): void {
  if (walk.end) return
  if (place) endBranch(walk, place, ending)
  else finishRun(walk, ending)
}

function endBranch(walk: Walk, place: Place, ending: Ending): void {
  const { abrupt, ...end } = ending
  changeBranch(walk, place, end)
  const fork = forkOf(walk, place)
  if (abrupt) {
    const { nodeId, error = null } = branchOf(walk, place)
    const data = { step: fork.step, branch: place.branch, branchNode: nodeId, status: ending.status, error }
    walk.events.push({ type: 'branch_failed', nodeId: fork.nodeId, data })
  }
  if (!abrupt || walk.plan.manifest.graph.branchFailurePolicy === 'continue_others') joinWhenAllEnded(walk, fork)
  else {
    dropBranches(walk, fork)
    endWay(walk, fork.place, ending)
  }
}

function dropBranches(walk: Walk, fork: Fork): void {
  const inside = (place: Place | undefined) =>
    place !== undefined && forksAround(walk, place).some(({ step }) => step === fork.step)
  for (const activation of walk.activations) if (inside(activation.place)) abandon(walk, activation)
  for (const inner of walk.forks.toReversed()) if (inside(inner.place)) merge(walk, inner.step)
  merge(walk, fork.step)
}

function joinWhenAllEnded(walk: Walk, fork: Fork): void {
  if (fork.branches.some(({ status }) => status === 'running')) return
  const { step, nodeId, place, branches } = fork
  // Branches that came to the join of a fork around this one have only ended for this one.
  const joins = [fork, ...(place ? forksAround(walk, place) : [])].map(({ join }) => join)
  const at = joins.find((join) => branches.some((branch) => branch.at === join)) ?? null
  const conflicts = merge(walk, step)
  const ends = branches.map((branch) => ({ nodeId: branch.nodeId, status: branch.status }))
  walk.events.push({ type: 'branches_joined', nodeId, data: { step, at, branches: ends, conflicts } })
  if (conflicts.length > 0 && walk.plan.manifest.graph.conflictPolicy === 'error') {
    const message = `several branches after "${nodeId}" wrote ${conflicts.join(', ')}`
    endWay(walk, place, { status: 'failed', error: { code: 'write_conflict', message }, abrupt: true })
  } else if (at === null) endWay(walk, place, endOf(branches))
  else {
    const mappings = branches.filter((branch) => branch.at === at).map(({ inputMapping }) => inputMapping)
    goTo(walk, place, at, Object.assign({}, ...mappings))
  }
}

/** What branches have come to that have no join. */
function endOf(branches: readonly Branch[]): Ending {
  const has = (status: Branch['status']) => branches.some((branch) => branch.status === status)
  if (has('rejected')) return { status: 'rejected', abrupt: false }
  if (has('completed')) return { status: 'completed', abrupt: false }
  const error = branches.find((branch) => branch.error)?.error
  return { status: 'failed', abrupt: true, ...(error ? { error } : {}) }
}
