import type { Static } from 'typebox'
import type { TenantQueries } from '../../db/queries.ts'
import { notFound } from '../../errors.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { findSession, listRows, upsertRow } from './repository.ts'
import type { Task, TaskList } from './schema.ts'

/** Of a session. */
export const maxTasks = 100

export async function listTasks(
  tenant: TenantContext<'runs:read'>,
  sessionId: string,
): Promise<Static<typeof TaskList>> {
  const items = await tasksOf(tenant.rows, sessionId)
  if (items.length === 0 && !(await findSession(tenant.rows, { id: sessionId }))[0]) throw notFound('session')
  return { items }
}

/** The plan of a session, oldest task first. */
export async function tasksOf(queries: TenantQueries, sessionId: string): Promise<Task[]> {
  return (await listRows(queries, { sessionId })).map((row) => ({
    key: row.key,
    title: row.title,
    status: row.status as Task['status'],
    detail: row.detail,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  }))
}

/** Adds the task, or puts it in the place of the one with this key. */
export async function writeTask(
  tx: TenantQueries,
  sessionId: string,
  { key, title, status, detail }: Omit<Task, 'createdAt' | 'updatedAt'>,
): Promise<void> {
  await upsertRow(tx, { session_id: sessionId, key, title, status, detail })
}
