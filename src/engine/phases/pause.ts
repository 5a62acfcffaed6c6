import type { Behaviour } from '../nodes/node.ts'
import { asking, completed, failed } from '../nodes/node.ts'
import type { Node } from '../schema.ts'

/** Asks a person whether to go on, with what the node has just written. There is nothing to edit, and no key is written. */
export const pausePhase: Behaviour<Node> = {
  begin: (_scene, activation) => ({ activation: asking(activation, { kind: 'approval' }) }),

  effect({ node, read }, { step, nodeId }, { call }) {
    const { name, description = '', outputKeys = [] } = node
    return {
      kind: 'approval',
      call,
      step,
      nodeId,
      title: `Go on after ${name ?? nodeId}?`,
      message: description,
      evidence: outputKeys.map((key) => ({ key, value: read(key) ?? null })),
      proposal: null,
      editSchema: null,
      policy: null,
    }
  },

  answer({ emit }, _activation, { call }, answer) {
    if (answer.kind !== 'decision') throw new Error(`an approval was answered with a ${answer.kind}`)
    const { decision, decidedBy, reason } = answer
    emit('approval_decided', { call, decision, decidedBy })
    if (decision !== 'reject') return completed({})
    return { result: { ...failed('rejected', reason).result, rejected: true } }
  },
}
