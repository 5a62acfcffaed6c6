import type { Activation } from './machine.ts'
import type { ChildStart } from './nodes/node.ts'
import { ownKey, type Spent } from './state.ts'
import { endRun, nodeOf, parentOf, type Walk } from './walk.ts'

/** Of a whole run, children included: a package may ask for fewer visits, and nothing else bounds the children. */
const maxActivations = 10_000

/** Puts an activation in its place, or behind the others when it is new. */
export function put(walk: Walk, activation: Activation): void {
  const known = walk.activations.some(({ step }) => step === activation.step)
  walk.activations = known
    ? walk.activations.map((other) => (other.step === activation.step ? activation : other))
    : [...walk.activations, activation]
}

/** Takes an activation out, with all that works for it and what they kept. */
export function remove(walk: Walk, { step, given = [] }: Activation): void {
  walk.activations = walk.activations.filter((other) => other.step !== step)
  for (const key of given) walk.writes[ownKey(step, key)] = null
  removeChildren(walk, step)
}

export function removeChildren(walk: Walk, step: number): void {
  for (const child of walk.activations.filter(({ parent }) => parent?.step === step)) remove(walk, child)
}

/** Counts what an activation used, for itself and for all that it works for. */
export function spend(walk: Walk, { step }: Activation, { tokens, toolCalls }: Spent): void {
  for (let at = walk.activations.find((one) => one.step === step); at; at = parentOf(walk, at)) {
    const { spent = { tokens: 0, toolCalls: 0 } } = at
    put(walk, { ...at, spent: { tokens: spent.tokens + tokens, toolCalls: spent.toolCalls + toolCalls } })
  }
}

/** Goes to a node; its first attempt is begun when its turn comes. Ends the run when it has come here too often. */
export function visit(walk: Walk, nodeId: string, inputMapping: Activation['inputMapping']): void {
  const { node } = nodeOf(walk.plan, nodeId)
  const { maxSteps } = walk.plan.limits
  const visits = (Object.hasOwn(walk.visits, nodeId) ? (walk.visits[nodeId] as number) : 0) + 1
  if (node.maxVisits !== undefined && visits > node.maxVisits) {
    const message = `"${nodeId}" may be visited ${times(node.maxVisits)}, and this would be one more`
    endRun(walk, 'failed', { code: 'visit_limit', message })
    return
  }
  const visited = Object.values(walk.visits).reduce((sum, count) => sum + count, 0)
  if (visited >= maxSteps) {
    const message = `the run may take ${maxSteps} steps, and "${nodeId}" would be one more`
    endRun(walk, 'failed', { code: 'step_limit', message })
    return
  }
  walk.visits = { ...walk.visits, [nodeId]: visits }
  activate(walk, nodeId, { inputMapping })
}

/** Begins to work on a node for another one. It is no visit, since no edge leads there. */
export function spawn(walk: Walk, parent: Activation, { call, nodeId, inputs }: ChildStart): void {
  const given = Object.keys(inputs)
  for (const key of given) walk.writes[ownKey(walk.steps + 1, key)] = inputs[key]
  activate(walk, nodeId, { inputMapping: {}, parent: { step: parent.step, call }, given })
}

function activate(walk: Walk, nodeId: string, how: Pick<Activation, 'inputMapping' | 'parent' | 'given'>): void {
  if (walk.steps >= maxActivations) {
    const message = `the run may work on nodes ${maxActivations} times, and "${nodeId}" would be once more`
    endRun(walk, 'failed', { code: 'step_limit', message })
    return
  }
  walk.steps += 1
  const step = walk.steps
  walk.ready.push(step)
  put(walk, { step, nodeId, attempt: 1, calls: 0, pending: [], loop: null, ...how })
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}
