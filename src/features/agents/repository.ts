import { sql } from 'kysely'
import { prepare, preparePage } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'

export const listAgentRows = preparePage()(
  'agents.created_at',
  (db) =>
    db
      .selectFrom('agents')
      .leftJoin('agent_versions as active', 'active.id', 'agents.active_version_id')
      .select([
        'agents.id',
        'agents.name',
        'agents.description',
        'agents.status',
        'agents.created_at',
        'active.version',
      ]),
  {},
  'agents.id',
)

export const findAgentRow = prepare<{ name: string }>()((db, value) =>
  db
    .selectFrom('agents')
    .leftJoin('agent_versions as active', 'active.id', 'agents.active_version_id')
    .select([
      'agents.id',
      'agents.name',
      'agents.description',
      'agents.status',
      'agents.created_at',
      'agents.active_version_id',
      'active.version',
      'active.manifest',
    ])
    .where('agents.name', '=', value.name),
)

/** Agents that can be started, by name, with what they take; at most 50. */
export const listStartableRows = prepare<object>()((db) =>
  db
    .selectFrom('agents')
    .innerJoin('agent_versions as active', 'active.id', 'agents.active_version_id')
    .select(['agents.name', 'agents.description', sql<unknown>`active.manifest -> 'input'`.as('input')])
    .where('agents.status', '<>', 'archived')
    .orderBy('agents.name')
    .limit(sql.lit(50)),
)

export const listVersionRows = preparePage<{ name: string }>()(
  'agent_versions.created_at',
  (db) =>
    db
      .selectFrom('agent_versions')
      .innerJoin('agents', 'agents.id', 'agent_versions.agent_id')
      .select([
        'agent_versions.id',
        'agents.name',
        'agents.active_version_id',
        'agent_versions.version',
        'agent_versions.digest',
        'agent_versions.bytes',
        'agent_versions.created_at',
        'agent_versions.created_by',
      ]),
  { name: (query, value) => query.where('agents.name', '=', value) },
  'agent_versions.id',
)

export const findVersionRow = prepare<{ name: string; version: string }>()((db, value) =>
  db
    .selectFrom('agent_versions')
    .innerJoin('agents', 'agents.id', 'agent_versions.agent_id')
    .select([
      'agent_versions.id',
      'agent_versions.agent_id',
      'agents.name',
      'agents.active_version_id',
      'agents.status',
      'agent_versions.version',
      'agent_versions.digest',
      'agent_versions.bytes',
      'agent_versions.manifest',
      'agent_versions.created_at',
      'agent_versions.created_by',
    ])
    .where('agents.name', '=', value.name)
    .where('agent_versions.version', '=', value.version),
)

/** The agent of this name, made when it is new, locked until the transaction ends. */
export async function lockAgent(
  tx: TenantQueries,
  name: string,
): Promise<{ id: string; active_version_id: string | null }> {
  await tx
    .insertInto('agents')
    .values({ name })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'name']).doNothing())
    .execute()
  return await tx
    .selectFrom('agents')
    .select(['id', 'active_version_id'])
    .where('name', '=', name)
    .forUpdate()
    .executeTakeFirstOrThrow()
}

export async function insertVersion(
  tx: TenantQueries,
  version: { agent_id: string; version: string; digest: string; bytes: number; manifest: object },
): Promise<string> {
  const { id } = await tx
    .insertInto('agent_versions')
    .values({ ...version, manifest: JSON.stringify(version.manifest) })
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

export async function activate(
  tx: TenantQueries,
  agentId: string,
  versionId: string,
  description: string,
): Promise<void> {
  await tx
    .updateTable('agents')
    .set({ active_version_id: versionId, description, status: 'active' })
    .where('id', '=', agentId)
    .execute()
}

export async function archiveRow(tx: TenantQueries, name: string): Promise<string | undefined> {
  const row = await tx
    .updateTable('agents')
    .set({ status: 'archived' })
    .where('name', '=', name)
    .returning('id')
    .executeTakeFirst()
  return row?.id
}
