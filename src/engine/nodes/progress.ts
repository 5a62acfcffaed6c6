import type { Activation, LoopState } from '../state.ts'
import { compact } from './compaction.ts'
import type { LoopNode } from './loop-tools.ts'
import { asking, failed, outputsOf, type Progress, type Scene } from './node.ts'
import { conversationTokens } from './text.ts'

export function loopOf({ loop, nodeId }: Activation): LoopState {
  if (!loop) throw new Error(`"${nodeId}" has no conversation`)
  return loop
}

/** The conversation with something more that is said to the model. */
export function told(loop: LoopState, content: string): LoopState {
  return { ...loop, messages: [...loop.messages, { role: 'user', content }] }
}

/** Asks the model again, or ends the attempt at a limit. */
export function nextTurn(scene: Scene<LoopNode>, activation: Activation, loop: LoopState): Progress {
  const { node, plan, emit } = scene
  const most = node.maxIterations ?? plan.limits.maxIterations
  if (loop.turns >= most) {
    const { missing } = outputsOf(node, loop.outputs)
    const left = missing.length > 0 ? `; not set: ${missing.join(', ')}` : ''
    return failed('iteration_limit', `the model did not finish in ${most} turns${left}`)
  }
  const messages = fitting(scene, loop)
  if (!messages) {
    const { maxHistoryTokens } = plan.limits
    const tokens = conversationTokens(loop.messages)
    return failed('history_limit', `the conversation has about ${tokens} tokens, more than ${maxHistoryTokens}`)
  }
  const { iteration, turns } = loop
  emit('node_loop_iteration', { iteration: iteration + 1 })
  return askModel(scene, { ...activation, loop: { ...loop, messages, iteration: iteration + 1, turns: turns + 1 } }, {})
}

/** One more call of a model, if the node may still use tokens. */
export function askModel(
  { node }: Scene<LoopNode>,
  activation: Activation,
  how: { readonly purpose?: 'judge' },
): Progress {
  const { tokens = 0 } = activation.spent ?? {}
  if (node.maxTokens !== undefined && tokens >= node.maxTokens) {
    return failed('token_limit', `${tokens} tokens are used, and ${node.maxTokens} are allowed`)
  }
  return { activation: asking(activation, { kind: 'model', ...how }) }
}

/** What the model is sent: the conversation, compacted when it has grown too long; null when that does not help. */
function fitting({ plan, emit }: Scene<LoopNode>, { messages }: LoopState): LoopState['messages'] | null {
  const { maxHistoryTokens } = plan.limits
  const before = conversationTokens(messages)
  if (before <= maxHistoryTokens) return messages
  const shorter = compact(messages, maxHistoryTokens)
  if (shorter) emit('context_compacted', { before, after: conversationTokens(shorter) })
  return shorter
}
