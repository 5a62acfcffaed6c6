import { put, remove, removeChildren, spawn, spend, visit } from './activations.ts'
import { leave } from './leave.ts'
import type { Activation, Effect, Input, PendingCall, ToolResult } from './machine.ts'
import { approvalNode } from './nodes/approval.ts'
import { eventLoopNode } from './nodes/event-loop.ts'
import { functionNode } from './nodes/function.ts'
import type { Answer, Behaviour, Progress, Result } from './nodes/node.ts'
import type { Node } from './schema.ts'
import { endRun, nodeOf, parentOf, sceneOf, type Walk } from './walk.ts'

/** Attempts in one transition that fail before they call anything: a transition cannot be interrupted, so it stays short. */
const maxIdleAttempts = 12

const behaviours: { readonly [Type in Node['type']]: Behaviour<Node & { type: Type }> } = {
  function: functionNode,
  event_loop: eventLoopNode,
  subagent: eventLoopNode,
  approval: approvalNode,
}

const kindOfAnswer = {
  tool_result: 'tool',
  model_result: 'model',
  decision: 'approval',
  message: 'message',
  child_result: 'child',
} as const

/** Goes to the first node, and on from it for as long as nodes end without having to wait for anything. */
export function begin(walk: Walk, nodeId: string): void {
  visit(walk, nodeId, {})
  beginReady(walk)
}

/** Gives an answer to the activation that waits for it. False when none does. */
export function answer(walk: Walk, input: Exclude<Input, { kind: 'start' }>): boolean {
  const known = give(walk, input)
  beginReady(walk)
  return known
}

/** The effect of a call, the same again whenever it is asked for; a child has none. */
export function effectOf(walk: Walk, activation: Activation, pending: PendingCall): Effect | null {
  if (pending.kind === 'child') return null
  const scene = sceneOf(walk, activation)
  return behaviourOf(scene.node).effect(scene, activation, pending)
}

function behaviourOf(node: Node): Behaviour<Node> {
  return behaviours[node.type] as Behaviour<Node>
}

function beginReady(walk: Walk): void {
  for (let step = walk.ready.shift(); step !== undefined && !walk.end; step = walk.ready.shift()) {
    const activation = walk.activations.find((one) => one.step === step)
    if (!activation) continue // removed before its turn came
    const progress = attempt(walk, activation)
    if ('result' in progress && progress.result.error) walk.idle += 1
    if (walk.idle > maxIdleAttempts) {
      const message = `${maxIdleAttempts} attempts in a row failed without calling anything, up to "${activation.nodeId}"`
      endRun(walk, 'failed', { code: 'no_progress', message })
      return
    }
    settle(walk, activation, progress)
  }
}

function attempt(walk: Walk, activation: Activation): Progress {
  const { step, nodeId, attempt, parent } = activation
  const { node } = nodeOf(walk.plan, nodeId)
  walk.records.push({ step, nodeId, attempt, status: node.type === 'approval' ? 'waiting' : 'running' })
  const data = { step, attempt, visits: walk.visits[nodeId] ?? 0, nodeType: node.type }
  walk.events.push({ type: 'node_loop_started', nodeId, data: parent ? { ...data, parentStep: parent.step } : data })
  return behaviourOf(node).begin(sceneOf(walk, activation), activation)
}

function give(walk: Walk, input: Answer): boolean {
  const call = input.kind === 'decision' ? input.approval : input.call
  const activation = walk.activations.find((one) => one.pending.some((pending) => pending.call === call))
  const asked = activation?.pending.find((one) => one.call === call)
  if (!activation || asked?.kind !== kindOfAnswer[input.kind]) return false
  if (input.kind === 'tool_result') {
    const { result } = input
    const { step, nodeId } = activation
    const data = { step, call, tool: asked.tool, ok: result.ok, ...(result.ok ? {} : { code: result.error.code }) }
    walk.events.push({ type: 'tool_call_completed', nodeId, data })
  }
  if (input.kind === 'model_result' && input.result.ok) {
    const { inputTokens, outputTokens } = input.result.usage
    spend(walk, activation, { tokens: inputTokens + outputTokens, toolCalls: 0 })
  }
  const { spent } = walk.activations.find(({ step }) => step === activation.step) ?? {}
  const pending = activation.pending.filter((one) => one.call !== call)
  const rest = { ...activation, ...(spent ? { spent } : {}), pending }
  const scene = sceneOf(walk, rest)
  settle(walk, rest, behaviourOf(scene.node).answer(scene, rest, asked, input))
  return true
}

/** Takes in how far an attempt has come: its new calls become effects, or the run goes on after it. */
function settle(walk: Walk, before: Activation, progress: Progress): void {
  if ('result' in progress) {
    after(walk, before, progress.result)
    return
  }
  const { activation, children = [] } = progress
  put(walk, activation)
  const known = new Set(before.pending.map(({ call }) => call))
  const asked = activation.pending.filter(({ call }) => !known.has(call))
  const toolCalls = asked.filter(({ kind }) => kind !== 'model' && kind !== 'approval').length
  if (toolCalls > 0) spend(walk, activation, { tokens: 0, toolCalls })
  for (const pending of asked) perform(walk, activation, pending)
  for (const child of children) spawn(walk, activation, child)
}

/** What follows an attempt: another one, the next node, or the end of the run; of a child, its parent's turn. */
function after(walk: Walk, activation: Activation, result: Result): void {
  const { step, nodeId, attempt } = activation
  const { outputs, rejected = false, error } = result
  const failure = error && !rejected ? { error } : {}
  const status = error && !rejected ? 'failed' : 'completed'
  walk.records.push({ step, nodeId, attempt, status, ...failure })
  const ended = { step, attempt, ok: !error, outputKeys: Object.keys(outputs) }
  walk.events.push({ type: 'node_loop_completed', nodeId, data: error ? { ...ended, error } : ended })
  if (!activation.parent) Object.assign(walk.writes, outputs)
  if (error && !rejected && attempt <= (nodeOf(walk.plan, nodeId).node.maxRetries ?? 0)) {
    removeChildren(walk, step)
    put(walk, { ...activation, attempt: attempt + 1, pending: [], loop: null })
    walk.ready.push(step)
    return
  }
  const parent = parentOf(walk, activation)
  remove(walk, activation)
  if (!activation.parent) leave(walk, activation, result)
  else if (parent) give(walk, { kind: 'child_result', call: activation.parent.call, result: childResult(result) })
}

function childResult({ error, outputs }: Result): ToolResult {
  return error ? { ok: false, error } : { ok: true, output: outputs }
}

function perform(walk: Walk, activation: Activation, pending: PendingCall): void {
  const effect = effectOf(walk, activation, pending)
  if (!effect) return
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
