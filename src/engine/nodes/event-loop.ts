import type { Effect, ModelResult } from '../machine.ts'
import { isMcpTool, setOutput } from '../platform-tools.ts'
import type { Activation, LoopState, PendingCall } from '../state.ts'
import { answered, argumentsOf, newConversation, settled } from './conversation.ts'
import { judgeEffect, onOpinion } from './judge.ts'
import { type LoopNode, skillsOf, talksTo, toolsFor } from './loop-tools.ts'
import {
  type Answer,
  asking,
  type Behaviour,
  type ChildStart,
  completed,
  failed,
  outputsOf,
  type Progress,
  type Scene,
} from './node.ts'
import { heard, messageEffect, shownBy } from './people.ts'
import { askModel, loopOf, nextTurn, told } from './progress.ts'
import { first, textOf } from './text.ts'
import { checkOutput, toolEffect } from './tool.ts'
import { type Received, receive } from './turn.ts'

type LoopScene = Scene<LoopNode>

/** Turns in a row that make no call and set nothing new. The model is told before the last. */
const mostIdle = 3
/** Characters of what a model says in an event; the whole is in the conversation. */
const maxSaid = 8000

/**
 * A model that works in turns: it calls tools, asks people, has others work for it and sets outputs, until every output
 * that the node must have is set and, where the node has criteria, a second model is content.
 */
export const eventLoopNode: Behaviour<LoopNode> = {
  begin: (scene, activation) => nextTurn(scene, activation, newConversation(scene, activation)),

  effect(scene, activation, pending) {
    const { messages } = loopOf(activation)
    if (pending.kind === 'message') return messageEffect(scene, activation, pending)
    if (pending.kind === 'model') return modelEffect(scene, activation, pending)
    return toolEffect(scene.plan, activation, pending, argumentsOf(messages, pending.toolCallId))
  },

  answer(scene, activation, pending, answer) {
    switch (answer.kind) {
      case 'model_result':
        return onModel(scene, activation, pending, answer.result)
      case 'tool_result':
      case 'child_result':
        return onResult(scene, activation, pending, answer)
      case 'message':
        return onLoop(scene, activation, heard(scene, activation, pending, answer.text))
      default:
        throw new Error(`a model was answered with a ${answer.kind}`)
    }
  },
}

function modelEffect(scene: LoopScene, activation: Activation, pending: PendingCall): Effect {
  if (pending.purpose === 'judge') return judgeEffect(scene, activation, pending)
  const { node, plan } = scene
  const { step, nodeId } = activation
  return {
    ...{ kind: 'model', call: pending.call, step, nodeId, purpose: 'turn', model: node.model ?? 'default' },
    messages: loopOf(activation).messages,
    tools: toolsFor(node, plan),
    skills: skillsOf(node, plan).filter((name) => !plan.skills.has(name)),
    mcpTools: (node.tools ?? []).filter(isMcpTool),
  }
}

function onModel(scene: LoopScene, activation: Activation, pending: PendingCall, result: ModelResult): Progress {
  if (!result.ok) return failed(result.error.code, result.error.message)
  const { iteration } = loopOf(activation)
  const { usage, finishReason, toolCalls, text } = result
  const { call, purpose = 'turn' } = pending
  const about = { call, purpose, iteration, ...usage, finishReason, toolCalls: toolCalls.length }
  scene.emit('llm_turn_complete', { ...about, text: first(text, maxSaid) })
  return purpose === 'judge'
    ? onOpinion(scene, activation, call, result.object)
    : onTurn(scene, activation, call, result)
}

function onTurn(scene: LoopScene, activation: Activation, call: string, result: ModelResult & { ok: true }): Progress {
  const { node, emit } = scene
  const loop = loopOf(activation)
  const turn = receive(scene, loop, shownBy(scene, activation), call, result)
  for (const key of turn.set) emit('output_key_set', { key })
  const { outputs, repeated, calls } = turn
  const idle = calls.length > 0 || turn.changed ? 0 : loop.idle + 1
  const now = { ...loop, messages: [...loop.messages, ...turn.messages], outputs, repeated, idle }
  const made = (activation.spent?.toolCalls ?? 0) + calls.length
  if (turn.doomed !== null) {
    return failed('doom_loop', `the model asks for ${turn.doomed} with the same arguments over and over`)
  }
  if (calls.length > 0 && node.maxToolCalls !== undefined && made > node.maxToolCalls) {
    return failed('tool_call_limit', `the model asks for ${made} calls in all, and ${node.maxToolCalls} are allowed`)
  }
  const after = { ...activation, loop: now }
  if (calls.length > 0) return makeCalls(scene, after, calls)
  return conclude(scene, after, turn.refused, result.toolCalls.length === 0 && result.text.trim() !== '')
}

function makeCalls({ emit }: LoopScene, activation: Activation, calls: Received['calls']): Progress {
  let asked = activation
  const children: ChildStart[] = []
  for (const { id, name, kind } of calls) {
    asked = asking(asked, { kind, tool: name, toolCallId: id })
    const call = (asked.pending.at(-1) as PendingCall).call
    const given = argumentsOf(loopOf(asked).messages, id)
    if (kind === 'child') children.push({ call, nodeId: given.agent as string, inputs: { task: given.task } })
    if (kind === 'message') {
      emit('client_input_requested', { call, prompt: given.question, evidence: given.evidence ?? [] })
    }
  }
  return { activation: asked, children }
}

/** After a turn that calls nothing: done, checked by a second model, said to a person, or told what is missing. */
function conclude(scene: LoopScene, activation: Activation, refused: boolean, speaks: boolean): Progress {
  const { node, emit } = scene
  const loop = loopOf(activation)
  const { outputs, missing } = outputsOf(node, loop.outputs)
  const ready = missing.length === 0 && !refused
  if (ready && node.successCriteria === undefined) {
    emit('judge_verdict', { verdict: 'accept', missing: [] })
    return completed(outputs)
  }
  if (!ready && speaks && talksTo(node)) return speak(scene, activation)
  const left = missing.length > 0 ? `not set: ${missing.join(', ')}` : 'what it has is not accepted'
  if (loop.idle >= mostIdle) return failed('stalled', `the model got nowhere in ${mostIdle} turns; ${left}`)
  if (ready) return askModel(scene, activation, { purpose: 'judge' })
  emit('judge_verdict', { verdict: 'retry', missing })
  const feedback = [
    ...(missing.length > 0 ? [`Not done: set ${missing.join(', ')} with ${setOutput}.`] : []),
    ...(loop.idle === mostIdle - 1 ? ['You are getting nowhere; if this goes on, the task is given up.'] : []),
  ]
  return nextTurn(scene, activation, feedback.length > 0 ? told(loop, feedback.join(' ')) : loop)
}

/** What the model only says is for the person. */
function speak(scene: LoopScene, activation: Activation): Progress {
  const asked = asking(activation, { kind: 'message' })
  const pending = asked.pending.at(-1) as PendingCall
  const { call, prompt } = messageEffect(scene, asked, pending)
  scene.emit('client_input_requested', { call, prompt, evidence: [] })
  return { activation: asked }
}

function onResult(
  scene: LoopScene,
  activation: Activation,
  { call, tool: name = '', toolCallId: id = '' }: PendingCall,
  answer: Answer & { kind: 'tool_result' | 'child_result' },
): Progress {
  const loop = loopOf(activation)
  const result = checkOutput(scene.plan, name, answer.result)
  if (answer.kind === 'child_result') {
    const { agent } = argumentsOf(loop.messages, id)
    const outcome = result.ok ? { ok: true } : { ok: false, code: result.error.code }
    scene.emit('subagent_report', { call, agent, ...outcome })
  }
  const text = result.ok ? textOf(result.output) : `error ${result.error.code}: ${result.error.message}`
  const messages = [...loop.messages, answered({ id, name }, text, scene.plan)]
  return onLoop(scene, activation, { ...loop, messages })
}

/** Goes on once the turn has all its answers. */
function onLoop(scene: LoopScene, activation: Activation, loop: LoopState): Progress {
  if (activation.pending.length > 0) return { activation: { ...activation, loop } }
  return nextTurn(scene, activation, { ...loop, messages: settled(loop.messages, scene.plan) })
}
