import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import { prepare, preparePage } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'
import type { Tables } from '../../db/tables.ts'
import type { StoredFile } from '../schema.ts'

/** Sessions with their agent's name and their newest run. */
function sessionsWithRun(db: Kysely<Tables>) {
  return db
    .selectFrom('sessions')
    .innerJoin('agents', 'agents.id', 'sessions.agent_id')
    .innerJoin('agent_versions', 'agent_versions.id', 'sessions.agent_version_id')
    .innerJoinLateral(
      (nested) =>
        nested
          .selectFrom('runs')
          .selectAll()
          .whereRef('runs.session_id', '=', 'sessions.id')
          .orderBy('runs.queued_at', 'desc')
          .orderBy('runs.id', 'desc')
          .limit(sql.lit(1))
          .as('run'),
      (join) => join.onTrue(),
    )
    .select([
      'sessions.id',
      'sessions.title',
      'sessions.created_at',
      'sessions.created_by',
      'sessions.entry_point',
      'agents.name as agent',
      'agent_versions.version',
      'run.id as run_id',
      'run.status',
      'run.current_node',
      'run.error',
      'run.queued_at',
      'run.started_at',
      'run.finished_at',
      'run.score',
      'run.forked_from_run',
      'run.forked_from_seq',
    ])
}

export const listRows = preparePage<{ agent: string | undefined }>()(
  'sessions.created_at',
  sessionsWithRun,
  { agent: (query, value) => query.where('agents.name', '=', value) },
  'sessions.id',
)

export const findRow = prepare<{ id: string }>()((db, value) =>
  sessionsWithRun(db).select('sessions.input').where('sessions.id', '=', value.id),
)

export const listFiles = prepare<{ sessionId: string }>()((db, value) =>
  db
    .selectFrom('session_files')
    .select(['name', 'media_type', 'bytes', 'sha256'])
    .where('session_id', '=', value.sessionId)
    .orderBy('name')
    .limit(sql.lit(100)),
)

/** Events behind `after`, oldest first, at most 200. Nothing comes back for a session that does not exist. */
export const listEvents = prepare<{ sessionId: string; after: number }>()((db, value) =>
  db
    .selectFrom('session_events')
    .select(['seq', 'type', 'run_id', 'node_id', 'data', 'created_at'])
    .where('session_id', '=', value.sessionId)
    .where('seq', '>', value.after as unknown as string)
    .orderBy('seq')
    .limit(sql.lit(200)),
)

export async function insertSession(
  tx: TenantQueries,
  session: { agent_id: string; agent_version_id: string; title: string; input: object; entry_point: string | null },
): Promise<string> {
  const { id } = await tx
    .insertInto('sessions')
    .values({ ...session, input: JSON.stringify(session.input) })
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

export async function insertFiles(tx: TenantQueries, sessionId: string, files: readonly StoredFile[]): Promise<void> {
  if (files.length === 0) return
  await tx
    .insertInto('session_files')
    .values(
      files.map(({ name, mediaType, bytes, sha256 }) => ({
        session_id: sessionId,
        name,
        media_type: mediaType,
        bytes,
        sha256,
      })),
    )
    .execute()
}
