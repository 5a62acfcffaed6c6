import type { Effect } from '../machine.ts'
import type { Activation, LoopState, PendingCall } from '../state.ts'
import { answered, argumentsOf, lastTurn } from './conversation.ts'
import { type LoopNode, maxQuestion } from './loop-tools.ts'
import { type Scene, sourceOf } from './node.ts'
import { loopOf } from './progress.ts'
import { charactersIn, cut } from './text.ts'

type MessageEffect = Extract<Effect, { kind: 'message' }>

/** What a key of the node holds, for people to see: a result that is set already, and else the input. */
export function shownBy({ read }: Scene<LoopNode>, activation: Activation): (key: string) => unknown {
  const { outputs } = loopOf(activation)
  return (key) => (Object.hasOwn(outputs, key) ? outputs[key] : read(sourceOf(activation.inputMapping, key))) ?? null
}

/** What the model asked with ask_user, or else just said. */
export function messageEffect(scene: Scene<LoopNode>, activation: Activation, pending: PendingCall): MessageEffect {
  const { messages } = loopOf(activation)
  const { step, nodeId } = activation
  const { call, toolCallId } = pending
  const place = { kind: 'message', call, step, nodeId } as const
  if (toolCallId === undefined) return { ...place, prompt: cut(lastTurn(messages).content, maxQuestion), evidence: [] }
  const { question, evidence = [] } = argumentsOf(messages, toolCallId) as { question: string; evidence?: string[] }
  const show = shownBy(scene, activation)
  return { ...place, prompt: question, evidence: evidence.map((key) => ({ key, value: show(key) })) }
}

/** The conversation after a person spoke. What counts turns and repetitions begins anew: something has changed. */
export function heard(
  { plan }: Scene<LoopNode>,
  activation: Activation,
  { toolCallId: id, tool: name = '' }: PendingCall,
  text: string,
): LoopState {
  const loop = loopOf(activation)
  const said = { role: 'user', content: cut(text, charactersIn(plan.limits.maxHistoryTokens) / 4) } as const
  const closing = id === undefined ? [] : [answered({ id, name }, 'The person has answered:', plan)]
  const repeated = { call: '', times: 0, told: false }
  return { ...loop, messages: [...loop.messages, ...closing, said], turns: 0, idle: 0, repeated }
}
