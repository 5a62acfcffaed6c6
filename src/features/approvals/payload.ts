import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { AppError } from '../../errors.ts'
import { checkJson } from '../../providers/json-schema.ts'
import type { ApprovalDetail, Decision } from './schema.ts'

export type Payload = Pick<ApprovalDetail, 'message' | 'evidence' | 'proposal' | 'editSchema'>

/** What is asked, as it is stored. */
export interface Asked {
  readonly title: string
  readonly payload: unknown
  readonly payload_hash: string
  readonly edited: unknown
  readonly edited_hash: string | null
}

/** Binds an answer to what was shown. */
export function hashOf(title: string, payload: Payload): string {
  return sha256({ title, ...payload })
}

/** Of what is asked now: another one after each edit. */
export function standingHash({ payload_hash, edited_hash }: Pick<Asked, 'payload_hash' | 'edited_hash'>): string {
  return edited_hash ?? payload_hash
}

/** The hash after an edit: never one that was there before, so that nobody's earlier agreement comes back to life. */
export function hashAfter(before: string, edited: unknown): string {
  return sha256({ before, edited })
}

/** The values of an edit; undefined for another decision. Throws when they do not fit what is asked. */
export function editedValues({ payload }: Asked, { decision, values }: Decision): unknown {
  const { proposal, editSchema } = payload as Payload
  if (decision !== 'edit') {
    if (values !== undefined) throw new AppError('invalid_request', 'values belong to the decision edit only')
    return undefined
  }
  if (!proposal) throw new AppError('input_invalid', 'this approval has nothing to edit: approve or reject it')
  if (values === undefined) throw new AppError('invalid_request', 'the decision edit needs values')
  const faults = editSchema ? checkJson(editSchema, values, 'values') : []
  if (faults.length > 0) throw new AppError('input_invalid', 'the edited values do not fit', { faults })
  return values
}

function sha256(value: object): string {
  return createHash('sha256')
    .update(canonicalize(value) ?? '')
    .digest('hex')
}
