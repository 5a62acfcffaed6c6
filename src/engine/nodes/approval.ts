import { placeholder } from '../keys.ts'
import type { Memory } from '../machine.ts'
import type { Node } from '../schema.ts'
import { asking, type Behaviour, completed, failed, isObject, type Scene, sourceOf } from './node.ts'

type ApprovalNode = Node & { type: 'approval' }

/** Longest value that a placeholder is replaced by. */
const maxValue = 500

/** Asks people, and waits. Approving and editing complete it; rejecting fails it, for good. */
export const approvalNode: Behaviour<ApprovalNode> = {
  begin: (_scene, activation) => ({ activation: asking(activation, { kind: 'approval' }) }),

  effect({ plan, node, read }, { step, nodeId, inputMapping }, { call }) {
    const shown = (key: string) => ({ key, value: read(sourceOf(inputMapping, key)) ?? null })
    return {
      kind: 'approval',
      call,
      step,
      nodeId,
      title: node.title,
      message: fill(node.message, (key) => shown(key).value),
      evidence: (node.evidence ?? []).map(shown),
      proposal: node.proposal === undefined ? null : shown(node.proposal),
      editSchema: node.editSchema ?? null,
      policy: plan.manifest.approvalPolicies?.find((policy) => policy.name === node.policy) ?? null,
    }
  },

  answer(scene, _activation, { call }, answer) {
    if (answer.kind !== 'decision') throw new Error(`an approval was answered with a ${answer.kind}`)
    const { node, emit } = scene
    const { decision, reason, decidedBy, decidedAt } = answer
    const rejections = rejectionsSoFar(scene) + (decision === 'reject' ? 1 : 0)
    const outputs: Memory = { [node.id]: { decision, reason, decidedBy, decidedAt, rejections } }
    if (decision === 'edit' && node.proposal !== undefined) outputs[node.proposal] = answer.values ?? null
    emit('approval_decided', { call, decision, decidedBy })
    if (decision !== 'reject') return completed(outputs)
    return { result: { ...failed('rejected', reason, outputs).result, rejected: true } }
  },
}

function rejectionsSoFar({ node, read }: Scene<ApprovalNode>): number {
  const before = read(node.id)
  return isObject(before) && typeof before.rejections === 'number' ? before.rejections : 0
}

/** Only texts, numbers and truth values are filled in; anything else leaves a gap. */
function fill(message: string, look: (key: string) => unknown): string {
  return message.replace(placeholder, (_, key: string) => {
    const value = look(key.trim())
    return ['string', 'number', 'boolean'].includes(typeof value) ? String(value).slice(0, maxValue) : ''
  })
}
