import { AppError } from '../errors.ts'

/** What one holder may have under way in this process, by kind. Far above what people do, far below what the process can. */
const most = {
  /** Of an organization. */
  requests: 128,
  /** Of an organization; they fill the disk. */
  uploads: 4,
  /** Of an organization. */
  streams: 200,
  /** Of a person in an organization: windows that are open at the same time. */
  'streams of one person': 20,
  /** Of all together: messages to webhooks come without a token, and are held in memory until they are checked. */
  'unchecked messages': 256,
  /** To one webhook, of whoever sends. */
  'messages to one webhook': 8,
  /** To an organization, once the signature was right. */
  messages: 16,
  /** Of a person, outside of any organization. */
  own: 16,
} as const

export type Shares = (kind: keyof typeof most, holder: string) => () => void

/**
 * Counts what everyone has under way, so that nobody uses up what all share. The function that comes back takes a place
 * and gives the way to leave it (once; more often changes nothing); it throws too_many_requests when there is none left.
 */
export function createShares(): Shares {
  const taken = new Map<string, number>()
  return (kind, holder) => {
    const key = `${kind} ${holder}`
    const before = taken.get(key) ?? 0
    if (before >= most[kind]) throw new AppError('too_many_requests', `too many ${kind} are under way; try again`)
    taken.set(key, before + 1)
    let left = false
    return () => {
      if (left) return
      left = true
      const now = taken.get(key)! - 1
      if (now > 0) taken.set(key, now)
      else taken.delete(key)
    }
  }
}
