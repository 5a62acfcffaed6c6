import type { Static } from 'typebox'
import type { TextDelta } from '../../db/notifications.ts'
import { AppError, notFound } from '../../errors.ts'
import type { Files } from '../../providers/files.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import type { Download, News, ServerEvent, StreamControl, UploadedFile } from '../../tenancy/route.ts'
import { startableVersion } from '../agents/service.ts'
import { withdrawApprovals } from '../approvals/service.ts'
import { withdrawMessages } from '../messages/service.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import type { RunList } from '../runs/schema.ts'
import { cancelRun, createNextRun, listRuns, pauseRun, resumeRun, toRun } from '../runs/service.ts'
import { inputKey, storeInput } from './input.ts'
import { findRow, listEvents, listFiles, listRows } from './repository.ts'
import type {
  RunCreate,
  Session,
  SessionCreate,
  SessionDetail,
  SessionEvent,
  SessionEventList,
  SessionList,
} from './schema.ts'
import { checkStart, insertStart } from './start.ts'

export { checkStart, startSession } from './start.ts'

type Reader = TenantContext<'runs:read'>
type Writer = TenantContext<'runs:read' | 'runs:write'>

export async function listSessions(
  tenant: Reader,
  { limit = 20, cursor, agent }: PageInput & { agent?: string | undefined },
): Promise<Static<typeof SessionList>> {
  const rows = await listRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), { agent })
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.created_at, id: row.id }), toSession)
}

export async function getSession(tenant: Reader, id: string): Promise<SessionDetail> {
  const [[row], files] = await Promise.all([findRow(tenant.rows, { id }), listFiles(tenant.rows, { sessionId: id })])
  if (!row) throw notFound('session')
  return {
    ...toSession(row),
    input: row.input as SessionDetail['input'],
    files: files.map((file) => ({
      name: file.name,
      mediaType: file.media_type,
      bytes: Number(file.bytes),
      sha256: file.sha256,
    })),
  }
}

export async function downloadInput(files: Files, tenant: Reader, sessionId: string, name: string): Promise<Download> {
  const file = (await listFiles(tenant.rows, { sessionId })).find((one) => one.name === name)
  if (!file) throw notFound('file')
  const body = await files.get(inputKey(tenant.tenantId, file.sha256))
  return { body, mediaType: 'text/csv; charset=utf-8', fileName: `${name}.csv` }
}

/**
 * Checks the input whole, stores its files, then writes session, first run, event and audit entry in one transaction.
 * Throws forbidden for a version that is not the active one, unless the caller may deploy.
 */
export async function createSession(
  files: Files,
  tenant: Writer,
  request: SessionCreate,
  uploads: readonly UploadedFile[],
): Promise<SessionDetail> {
  const { agent, version } = request
  const start = await startableVersion(tenant.as('runs:write', 'agents:read'), agent, version)
  // A version that was replaced may lack the approvals of the active one: only who decides which is active may start it.
  if (!start.active) await tenant.as('runs:write', 'agents:write').prove()
  await checkStart(start.manifest, request, uploads)
  const stored = await storeInput(files, tenant.tenantId, uploads)
  const { sessionId } = await tenant.transaction((tx) => insertStart(tx, start, request, stored))
  return await getSession(tenant, sessionId)
}

export async function pauseSession(tenant: Writer, id: string): Promise<Session> {
  await tenant.transaction((tx) => pauseRun(tx, id))
  return await getSession(tenant, id)
}

export async function resumeSession(tenant: Writer, id: string, now: Date): Promise<Session> {
  await tenant.transaction((tx) => resumeRun(tx, id, now))
  return await getSession(tenant, id)
}

export async function cancelSession(tenant: Writer, id: string, now: Date): Promise<Session> {
  await tenant.transaction(async (tx) => {
    const run = await cancelRun(tx, id, now)
    if (!run.ended) return
    await withdrawApprovals(tx, run.id)
    await withdrawMessages(tx, run.id)
  })
  return await getSession(tenant, id)
}

export async function listSessionRuns(tenant: Reader, id: string): Promise<Static<typeof RunList>> {
  const runs = await listRuns(tenant, id)
  if (runs.items.length === 0) throw notFound('session')
  return runs
}

/**
 * Runs the session's work again. As for a new session, a version that is not the active one needs the right to deploy.
 * Throws `conflict` while a run is open, and for a checkpoint that cannot be gone on from.
 */
export async function runAgain(tenant: Writer, id: string, { from }: RunCreate): Promise<Session> {
  const { agent, version } = await getSession(tenant, id)
  const start = await startableVersion(tenant.as('runs:write', 'agents:read'), agent, version)
  if (!start.active) await tenant.as('runs:write', 'agents:write').prove()
  await tenant.transaction((tx) => createNextRun(tx, id, from ?? null))
  return await getSession(tenant, id)
}

export async function listSessionEvents(
  tenant: Reader,
  sessionId: string,
  after: number,
): Promise<Static<typeof SessionEventList>> {
  const rows = await listEvents(tenant.rows, { sessionId, after })
  if (rows.length === 0) await getSession(tenant, sessionId)
  const items = rows.map(toEvent)
  return { items, nextAfter: items.length === 200 ? items.at(-1)!.id : null }
}

/** Every event behind the one the client saw last, then each new one as it comes, until the control's signal says stop. */
export async function streamEvents(
  tenant: Reader,
  sessionId: string,
  after: number,
  control: StreamControl,
): Promise<AsyncIterable<ServerEvent>> {
  const last = control.lastEventId === undefined ? after : Number(control.lastEventId)
  if (!Number.isSafeInteger(last) || last < 0)
    throw new AppError('invalid_request', 'Last-Event-ID is not one of this stream')
  const news = control.watchSession(sessionId)
  await getSession(tenant, sessionId)
  return follow(tenant, sessionId, last, news, control.signal)
}

async function* follow(
  tenant: Reader,
  sessionId: string,
  from: number,
  news: () => Promise<News>,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent> {
  let after = from
  while (!signal.aborted) {
    const events = (await listEvents(tenant.rows, { sessionId, after })).map(toEvent)
    for (const event of events) yield { id: String(event.id), type: event.type, data: event }
    after = events.at(-1)?.id ?? after
    if (events.length === 200) continue
    for (let changed = false; !changed && !signal.aborted; ) {
      const heard = await news()
      yield* heard.texts.map(toFrame)
      changed = heard.changed
    }
  }
}

/** In the form of an event, without what only a stored one has. */
function toFrame({ runId, nodeId, call, sequence, text }: TextDelta): ServerEvent {
  const type = 'llm_text_delta'
  return { type, data: { type, runId, nodeId, data: { call, sequence, text } } }
}

function toEvent(row: Awaited<ReturnType<typeof listEvents>>[number]): SessionEvent {
  const { seq, type, run_id: runId, node_id: nodeId, data, created_at } = row
  return {
    id: Number(seq),
    type,
    runId,
    nodeId,
    data: data as SessionEvent['data'],
    timestamp: created_at.toISOString(),
  }
}

function toSession(row: Awaited<ReturnType<typeof listRows>>[number]): Session {
  const { id, title, agent, version, run_id, created_at, created_by: createdBy } = row
  return {
    id,
    title,
    agent,
    version,
    entryPoint: row.entry_point,
    run: toRun({ ...row, id: run_id }),
    createdAt: created_at.toISOString(),
    createdBy,
  }
}
