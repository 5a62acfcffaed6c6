import canonicalize from 'canonicalize'
import type { ToolCall } from '../machine.ts'
import type { LoopState } from '../state.ts'

type Repeated = LoopState['repeated']

/** The same call in a row: at this many the model is told. */
export const mostInARow = 3

/** The state after one more call, whatever else the turn asks for. The order of fields in its arguments is no difference. */
export function count({ name, arguments: given }: ToolCall, before: Repeated): Repeated {
  const call = fingerprint(`${name} ${canonicalize(given) ?? ''}`)
  return call === before.call ? { ...before, times: before.times + 1 } : { call, times: 1, told: false }
}

/** 53 bits of a text (cyrb53): a checkpoint need not hold the arguments once more. No secret depends on it. */
function fingerprint(text: string): string {
  let high = 0xdeadbeef
  let low = 0x41c6ce57
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    high = Math.imul(high ^ unit, 2654435761)
    low = Math.imul(low ^ unit, 1597334677)
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909)
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909)
  return (4294967296 * (2097151 & low) + (high >>> 0)).toString(36)
}
