import type { Doors } from '../db/doors.ts'

/** Says that a session has new events, soon. */
export type Announce = (tenantId: string, sessionId: string) => void

/** How long a session's reader may wait for what is recorded already. */
const everyMs = 20

/**
 * Tells of many sessions at once what their runs record on the way: transactions that notify are committed one after the
 * other, so no step may notify by itself. Nothing of it is sure, and need not be: the next transition tells again.
 */
export function createAnnouncer(doors: Pick<Doors, 'announceSessions'>): Announce {
  const changed = new Map<string, { tenantId: string; sessionId: string }>()
  const send = () => {
    const sessions = [...changed.values()]
    changed.clear()
    doors.announceSessions(sessions).catch(() => undefined) // without a database there is nobody to hear it either
  }
  return (tenantId, sessionId) => {
    if (changed.size === 0) setTimeout(send, everyMs)
    changed.set(sessionId, { tenantId, sessionId })
  }
}
