import { sql } from 'kysely'
import type { TenantQueries } from '../../db/queries.ts'
import { AppError, notFound } from '../../errors.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { answerMessage, hasAnswered, listMessages } from '../messages/service.ts'
import { listReports } from '../reports/service.ts'
import type { RunStatus } from '../runs/schema.ts'
import { resultsOf } from '../runs/service.ts'
import { getSession } from './service.ts'
import { type SessionStart, startSession } from './start.ts'

// Sessions that a run starts and watches. Every function takes the scope of whoever started that run: nothing here can be
// done that this person could not do by the API; and it reaches only the sessions that its own session has started.

type Reader = TenantContext<'runs:read'>
type Writer = TenantContext<'runs:read' | 'runs:write'>

/** The run that acts. */
export interface Parent {
  readonly sessionId: string
  readonly runId: string
}

/** A person's session may start sessions, and those may start some more. */
const maxDepth = 2
/** Of all sessions below the one at the top, together. */
const maxStarted = 200

/**
 * Starts a session for a call of a run; the same call again starts nothing. Throws forbidden when the tree would be too
 * deep, too_many_requests when it is too large, and what startSession throws.
 */
export async function startChild(tenant: Writer, parent: Parent, call: string, start: SessionStart): Promise<string> {
  await tenant.as('runs:write', 'agents:read').prove()
  return await tenant.transaction(async (tx) => {
    const { runId } = parent
    const known = await tx
      .selectFrom('session_starts')
      .select('session_id')
      .where('run_id', '=', runId)
      .where('call', '=', call)
      .executeTakeFirst()
    if (known) return known.session_id
    const place = await placeBelow(tx, parent.sessionId)
    const { sessionId } = await startSession(tx, start)
    await tx
      .insertInto('session_starts')
      .values({ session_id: sessionId, run_id: runId, call, ...place })
      .execute()
    return sessionId
  })
}

async function placeBelow(tx: TenantQueries, sessionId: string): Promise<{ root_id: string; depth: number }> {
  const starts = tx.selectFrom('session_starts')
  const above = await starts.select(['root_id', 'depth']).where('session_id', '=', sessionId).executeTakeFirst()
  const place = { root_id: above?.root_id ?? sessionId, depth: (above?.depth ?? 0) + 1 }
  if (place.depth > maxDepth) {
    throw new AppError('forbidden', 'this session was started by one that was started itself; it may not start another')
  }
  await tx.selectFrom('sessions').select('id').where('id', '=', place.root_id).forNoKeyUpdate().execute()
  const { count } = await starts
    .select(sql<number>`count(*)::int`.as('count'))
    .where('root_id', '=', place.root_id)
    .executeTakeFirstOrThrow()
  if (count >= maxStarted) {
    throw new AppError('too_many_requests', `${count} sessions were started below this one, and no more may be`)
  }
  return place
}

/** How a session stands that this session started, latest first. */
export interface ChildSummary {
  readonly session: string
  readonly agent: string
  readonly status: RunStatus
  readonly startedAt: string
}

/** The latest 50. */
export async function listChildren(
  tenant: Reader,
  { sessionId }: Parent,
  agent: string | undefined,
): Promise<ChildSummary[]> {
  const rows = await tenant.rows
    .selectFrom('session_starts')
    .innerJoin('runs as parent', 'parent.id', 'session_starts.run_id')
    .innerJoin('sessions', 'sessions.id', 'session_starts.session_id')
    .innerJoin('agents', 'agents.id', 'sessions.agent_id')
    .innerJoinLateral(
      (nested) =>
        nested
          .selectFrom('runs')
          .select('runs.status')
          .whereRef('runs.session_id', '=', 'sessions.id')
          .orderBy('runs.queued_at', 'desc')
          .orderBy('runs.id', 'desc')
          .limit(1)
          .as('run'),
      (join) => join.onTrue(),
    )
    .select(['sessions.id', 'agents.name', 'run.status', 'sessions.created_at'])
    .where('parent.session_id', '=', sessionId)
    .$if(agent !== undefined, (query) => query.where('agents.name', '=', agent!))
    .orderBy('sessions.created_at', 'desc')
    .orderBy('sessions.id', 'desc')
    .limit(50)
    .execute()
  return rows.map((row) => ({
    session: row.id,
    agent: row.name,
    status: row.status as RunStatus,
    startedAt: row.created_at.toISOString(),
  }))
}

/** What is asked, what came of it, and what went wrong. Throws not_found for a session that this one did not start. */
export async function watchChild(tenant: Reader, parent: Parent, id: string) {
  await assertChild(tenant.rows, parent, id)
  const { run, agent } = await getSession(tenant, id)
  const [asked, reports, results] = await Promise.all([
    listMessages(tenant, id, { limit: 20, status: 'pending' }),
    listReports(tenant.as('runs:read', 'reports:read'), { limit: 20, sessionId: id }),
    run.finishedAt === null ? null : resultsOf(tenant.rows, run.id),
  ])
  return {
    session: id,
    agent,
    status: run.status,
    at: run.currentNode,
    error: run.error,
    questions: asked.items.map(({ id: message, prompt, evidence }) => ({ message, prompt, evidence })),
    // Only people decide approvals: the one who watches can do no more than tell them.
    waitsForApproval: run.status === 'waiting' && asked.items.length === 0,
    reports: reports.items.map(({ title }) => title),
    ...(results ? { results } : {}),
  }
}

/** Answers a question of a session that this one started; the same answer again changes nothing. */
export async function answerChild(
  tenant: Writer,
  parent: Parent,
  { session, message, text }: { session: string; message: string; text: string },
  now: Date,
): Promise<void> {
  await tenant.transaction(async (tx) => {
    await assertChild(tx, parent, session)
    if (await hasAnswered(tx, message, text)) return
    await answerMessage(tx, session, { text, messageId: message }, now)
  })
}

async function assertChild(queries: TenantQueries, { sessionId }: Parent, id: string): Promise<void> {
  const found = await queries
    .selectFrom('session_starts')
    .innerJoin('runs', 'runs.id', 'session_starts.run_id')
    .select('session_starts.session_id')
    .where('session_starts.session_id', '=', id)
    .where('runs.session_id', '=', sessionId)
    .executeTakeFirst()
  if (!found) throw notFound('session')
}
