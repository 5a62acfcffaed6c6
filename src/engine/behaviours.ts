import type { Activation, Effect, PendingCall } from './machine.ts'
import { readFor, readOwn } from './memory.ts'
import { approvalNode } from './nodes/approval.ts'
import { eventLoopNode } from './nodes/event-loop.ts'
import { functionNode } from './nodes/function.ts'
import { mapNode } from './nodes/map.ts'
import type { Behaviour, Scene } from './nodes/node.ts'
import { routerNode } from './nodes/router.ts'
import { choosePhase } from './phases/choose.ts'
import { pausePhase } from './phases/pause.ts'
import { scorePhase } from './phases/score.ts'
import type { Node } from './schema.ts'
import { ownKey, type Phase } from './state.ts'
import { nodeOf, type Walk } from './walk.ts'
import { counted } from './work.ts'

const nodes: { readonly [Type in Node['type']]: Behaviour<Node & { type: Type }> } = {
  function: functionNode,
  event_loop: eventLoopNode,
  subagent: eventLoopNode,
  approval: approvalNode,
  router: routerNode,
  map: mapNode,
}

const phases: { readonly [Kind in Phase['kind']]: Behaviour<Node> } = {
  pause: pausePhase,
  choose: choosePhase,
  score: scorePhase,
}

/** What an activation does now: the work of its node, or what follows it. */
export function behaviourOf(walk: Walk, { nodeId, phase }: Activation): Behaviour<Node> {
  if (phase) return phases[phase.kind]
  return nodes[nodeOf(walk.plan, nodeId).node.type] as Behaviour<Node>
}

export function sceneOf(walk: Walk, activation: Activation): Scene {
  const { step, nodeId } = activation
  return {
    plan: { ...walk.plan, checkValue: counted(walk, walk.plan.checkValue) },
    node: nodeOf(walk.plan, nodeId).node,
    read: (key) => readFor(walk, activation, key),
    recall: (item) => readOwn(walk, ownKey(step, item)),
    emit: (type, data) => walk.events.push({ type, nodeId, data: { step, ...data } }),
  }
}

/** The effect of a call, the same again whenever it is asked for; a child has none. */
export function effectOf(walk: Walk, activation: Activation, pending: PendingCall): Effect | null {
  if (pending.kind === 'child') return null
  return behaviourOf(walk, activation).effect(sceneOf(walk, activation), activation, pending)
}
