import { clear, enterPhase, put, remove, spawn, spend, visit } from './activations.ts'
import { behaviourOf, effectOf, sceneOf } from './behaviours.ts'
import { endScored, tokensLeft } from './ending.ts'
import { leave, leaveBy } from './leave.ts'
import type { Activation, Failure, Input, Memory, PendingCall, ToolResult } from './machine.ts'
import { parentOf, writeAt } from './memory.ts'
import { type Answer, inputsOf, type Progress, type Result } from './nodes/node.ts'
import { first } from './nodes/text.ts'
import { ownKey } from './state.ts'
import { endRun, nodeOf, type Walk } from './walk.ts'
import { chargeAttempt, withinBudget } from './work.ts'

const kindOfAnswer = {
  tool_result: 'tool',
  model_result: 'model',
  decision: 'approval',
  message: 'message',
  child_result: 'child',
} as const

/** Goes to the first node, and on from it for as long as nodes end without having to wait for anything. */
export function begin(walk: Walk, nodeId: string): void {
  visit(walk, undefined, nodeId, {})
  beginReady(walk)
}

/** Gives an answer to the activation that waits for it. False when none does. */
export function answer(walk: Walk, input: Exclude<Input, { kind: 'start' | 'deadline' }>): boolean {
  const known = give(walk, input)
  beginReady(walk)
  return known
}

function beginReady(walk: Walk): void {
  for (let step = walk.ready.shift(); step !== undefined && !walk.end; step = walk.ready.shift()) {
    const activation = walk.activations.find((one) => one.step === step)
    if (!activation) continue // given up before its turn came
    if (!activation.phase) tellBegin(walk, activation)
    const scene = sceneOf(walk, activation)
    chargeAttempt(walk, inputsOf(scene, activation))
    if (!withinBudget(walk, activation.nodeId)) return
    settle(walk, activation, behaviourOf(walk, activation).begin(scene, activation))
  }
}

function tellBegin(walk: Walk, { step, nodeId, attempt, parent, place }: Activation): void {
  const { type } = nodeOf(walk.plan, nodeId).node
  walk.records.push({ step, nodeId, attempt, status: type === 'approval' ? 'waiting' : 'running' })
  const where = { ...place, ...(parent ? { parentStep: parent.step } : {}) }
  const data = { step, attempt, visits: walk.visits[nodeId] ?? 0, nodeType: type, ...where }
  walk.events.push({ type: 'node_loop_started', nodeId, data })
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
    const { used } = walk
    const sum = { inputTokens: used.inputTokens + inputTokens, outputTokens: used.outputTokens + outputTokens }
    walk.used = { ...used, ...sum }
    spend(walk, activation, { tokens: inputTokens + outputTokens, toolCalls: 0 })
  }
  const { spent } = walk.activations.find(({ step }) => step === activation.step) ?? {}
  const pending = activation.pending.filter((one) => one.call !== call)
  const rest = { ...activation, ...(spent ? { spent } : {}), pending }
  settle(walk, rest, behaviourOf(walk, rest).answer(sceneOf(walk, rest), rest, asked, input))
  return true
}

/** Takes in how far an attempt has come: its new calls become effects, or the run goes on after it. */
function settle(walk: Walk, before: Activation, progress: Progress): void {
  if ('result' in progress) {
    end(walk, before, progress.result)
    return
  }
  const { activation, children = [], keep = {} } = progress
  for (const [item, value] of Object.entries(keep)) walk.writes[ownKey(activation.step, item)] = value
  put(walk, activation)
  const known = new Set(before.pending.map(({ call }) => call))
  const asked = activation.pending.filter(({ call }) => !known.has(call))
  const toolCalls = asked.filter(({ tool }) => tool !== undefined).length
  if (toolCalls > 0) spend(walk, activation, { tokens: 0, toolCalls })
  for (const pending of asked) perform(walk, activation, pending)
  for (const child of children) spawn(walk, activation, child)
}

function end(walk: Walk, activation: Activation, result: Result): void {
  const { step, nodeId, attempt, phase } = activation
  if (!phase) {
    afterWork(walk, activation, result)
    return
  }
  remove(walk, activation)
  const { error, outputs } = result
  if (phase.kind === 'score') endScored(walk, phase.outcome, error ? { error } : { scores: outputs })
  else if (phase.kind === 'choose' && !error) leaveBy(walk, activation, outputs['chosen'] as number[])
  else {
    const failed = phase.kind === 'choose' && error ? { error } : {}
    walk.records.push({ step, nodeId, attempt, status: 'error' in failed ? 'failed' : 'completed', ...failed })
    leave(walk, activation, result)
  }
}

/** What follows an attempt: another one, a question, the way on; of a child, its parent's turn. */
function afterWork(walk: Walk, activation: Activation, result: Result): void {
  const { step, nodeId, attempt, parent } = activation
  const { node, paused } = nodeOf(walk.plan, nodeId)
  const { outputs, rejected = false, error } = result
  const failure = error && !rejected ? { error } : {}
  const asks = paused && !error && !parent
  const status = asks ? 'waiting' : 'error' in failure ? 'failed' : 'completed'
  walk.records.push({ step, nodeId, attempt, status, ...failure })
  const ended = { step, attempt, ok: !error, outputKeys: Object.keys(outputs) }
  walk.events.push({ type: 'node_loop_completed', nodeId, data: error ? { ...ended, error } : ended })
  if (!parent) writeAt(walk, activation.place, outputs)
  const rest = clear(walk, activation)
  if (error && !rejected && attempt <= (node.maxRetries ?? 0)) {
    put(walk, { ...rest, attempt: attempt + 1 })
    walk.ready.push(step)
  } else if (asks) enterPhase(walk, rest, { kind: 'pause' })
  else {
    const waits = parentOf(walk, activation)
    remove(walk, rest)
    if (!parent) leave(walk, rest, result)
    else if (waits) give(walk, { kind: 'child_result', call: parent.call, result: childResult(result) })
  }
}

function childResult({ error, outputs }: Result): ToolResult {
  return error ? { ok: false, error } : { ok: true, output: outputs }
}

function perform(walk: Walk, activation: Activation, pending: PendingCall): void {
  const failure = limitReached(walk, pending)
  if (failure) endRun(walk, 'failed', failure)
  const effect = walk.end ? null : effectOf(walk, activation, pending)
  if (!effect) return
  walk.effects.push(effect)
  const { call, step, nodeId } = effect
  if (effect.kind === 'tool') {
    walk.used = { ...walk.used, toolCalls: walk.used.toolCalls + 1 }
    const data = { step, call, tool: effect.tool, inputKeys: keysOf(effect.input) }
    walk.events.push({ type: 'tool_call_started', nodeId, data })
  }
  if (effect.kind === 'approval') {
    walk.events.push({ type: 'approval_requested', nodeId, data: { step, call, title: effect.title } })
  }
}

/** A model may name as many fields as it likes, and as long ones. */
function keysOf(input: Memory): string[] {
  return Object.keys(input)
    .slice(0, 64)
    .map((key) => first(key, 64))
}

/** The limits of the run: a model is asked, a tool is called, only while they are not used up. */
function limitReached(walk: Walk, { kind }: PendingCall): Failure | null {
  const { maxTokens, maxToolCalls } = walk.plan.limits
  if (kind === 'model' && tokensLeft(walk) <= 0) {
    return { code: 'token_limit', message: `the run may use ${maxTokens} tokens, and a model would be asked once more` }
  }
  if (kind === 'tool' && walk.used.toolCalls >= maxToolCalls) {
    return {
      code: 'tool_call_limit',
      message: `the run may call tools ${maxToolCalls} times, and this would be once more`,
    }
  }
  return null
}
