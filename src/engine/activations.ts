import type { Activation } from './machine.ts'
import { forget, parentOf } from './memory.ts'
import type { ChildStart } from './nodes/node.ts'
import { ownKey, type Phase, type Place, type Spent } from './state.ts'
import { endRun, nodeOf, type Walk } from './walk.ts'

/** Of a whole run, children included: visits have a limit of their own, and nothing else bounds the children. */
const maxActivations = 10_000

/** Puts an activation in its place, or behind the others when it is new. */
export function put(walk: Walk, activation: Activation): void {
  const known = walk.activations.some(({ step }) => step === activation.step)
  walk.activations = known
    ? walk.activations.map((other) => (other.step === activation.step ? activation : other))
    : [...walk.activations, activation]
}

/** Takes out an activation that has done its work, with all that still works for it and what they kept. */
export function remove(walk: Walk, activation: Activation): void {
  const { step, given = [] } = activation
  walk.activations = walk.activations.filter((other) => other.step !== step)
  for (const key of given) forget(walk, ownKey(step, key))
  clear(walk, activation)
}

/** Takes out an activation that has not done its work, and says so in its record. */
export function abandon(walk: Walk, activation: Activation): void {
  const { step, nodeId, attempt, phase } = activation
  const known = walk.activations.some((other) => other.step === step)
  if (!known) return
  remove(walk, activation)
  const begun = phase ? phase.kind === 'pause' : !walk.ready.includes(step)
  if (!begun) return // or long done
  const error = { code: 'abandoned', message: 'it was not finished, since the run went on or ended without it' }
  walk.records.push({ step, nodeId, attempt, status: 'failed', error })
}

/** The activation without anything that its attempt has begun or kept. */
export function clear(walk: Walk, activation: Activation): Activation {
  const { step } = activation
  for (const child of walk.activations.filter(({ parent }) => parent?.step === step)) abandon(walk, child)
  const { items, ...rest } = activation
  for (let item = 0; item < (items?.begun ?? 0); item++) forget(walk, ownKey(step, item))
  return { ...rest, pending: [], loop: null }
}

/** Has an activation whose node is done ask about what follows, when its turn comes. */
export function enterPhase(walk: Walk, activation: Activation, phase: Phase): void {
  put(walk, { ...activation, phase, pending: [], loop: null })
  walk.ready.push(activation.step)
}

/** Counts what an activation used, for itself and for all that it works for. */
export function spend(walk: Walk, { step }: Activation, { tokens, toolCalls }: Spent): void {
  for (let at = walk.activations.find((one) => one.step === step); at; at = parentOf(walk, at)) {
    const { spent = { tokens: 0, toolCalls: 0 } } = at
    put(walk, { ...at, spent: { tokens: spent.tokens + tokens, toolCalls: spent.toolCalls + toolCalls } })
  }
}

/** Goes to a node; its first attempt is begun when its turn comes. Ends the run when it has come here too often. */
export function visit(walk: Walk, at: Place | undefined, nodeId: string, inputMapping: Mapping): void {
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
  activate(walk, nodeId, { inputMapping, ...(at ? { place: at } : {}) })
}

/** Begins to work on a node for another one. It is no visit, since no edge leads there. */
export function spawn(walk: Walk, parent: Activation, { call, nodeId, inputs }: ChildStart): void {
  const { step, place } = parent
  const how = { inputMapping: {}, parent: { step, call }, given: Object.keys(inputs), ...(place ? { place } : {}) }
  const child = activate(walk, nodeId, how)
  if (child) for (const key of how.given) walk.writes[ownKey(child, key)] = inputs[key]
}

type Mapping = Activation['inputMapping']

function activate(
  walk: Walk,
  nodeId: string,
  how: Pick<Activation, 'inputMapping' | 'parent' | 'given' | 'place'>,
): number | null {
  if (walk.steps >= maxActivations) {
    const message = `the run may work on nodes ${maxActivations} times, and "${nodeId}" would be once more`
    endRun(walk, 'failed', { code: 'step_limit', message })
    return null
  }
  walk.steps += 1
  const step = walk.steps
  walk.ready.push(step)
  put(walk, { step, nodeId, attempt: 1, calls: 0, pending: [], loop: null, ...how })
  return step
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}
