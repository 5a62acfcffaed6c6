import { hash, timingSafeEqual } from 'node:crypto'
import type { After } from '../db/prepared.ts'
import { AppError } from '../errors.ts'

export type Limit = 20 | 50 | 100

/** A page of rows read with one row more than asked, which says whether there is a next one. */
export function pageOf<R, I>(
  tenantId: string,
  rows: readonly R[],
  limit: Limit,
  position: (row: R) => After,
  item: (row: R) => I,
): { items: I[]; nextCursor: string | null } {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const nextCursor = rows.length > limit && last ? writeCursor(tenantId, position(last)) : null
  return { items: shown.map(item), nextCursor }
}

/** The position that a cursor of this tenant names. Throws invalid_request for any other text, another tenant's cursor included. */
export function readCursor(tenantId: string, cursor: string | undefined): After | null {
  if (cursor === undefined) return null
  const bytes = Buffer.from(cursor, 'base64url')
  const [mark, text] = [bytes.subarray(0, 8), bytes.subarray(8).toString()]
  const [, time, id] = /^(\d{1,15}) ([0-9a-f-]{36})$/.exec(text) ?? []
  if (!time || !id || !timingSafeEqual(mark, markOf(tenantId, text))) {
    throw new AppError('invalid_request', 'this cursor is not one of this list; begin at its first page')
  }
  return { time: new Date(Number(time)), id }
}

function writeCursor(tenantId: string, { time, id }: After): string {
  const text = `${time.getTime()} ${id}`
  return Buffer.concat([markOf(tenantId, text), Buffer.from(text)]).toString('base64url')
}

/** Not a secret, a label: it keeps one tenant's cursor from being mistaken for another's. The rows are guarded elsewhere. */
function markOf(tenantId: string, text: string): Buffer {
  return hash('sha256', `${tenantId} ${text}`, 'buffer').subarray(0, 8)
}

/** What every list takes from its query. */
export interface PageInput {
  readonly limit?: Limit | undefined
  readonly cursor?: string | undefined
}
