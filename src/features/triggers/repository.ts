import type { Kysely, Updateable } from 'kysely'
import { sql } from 'kysely'
import { prepare, preparePage } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'
import type { Tables } from '../../db/tables.ts'

function triggersWithAgent(db: Kysely<Tables>) {
  return db
    .selectFrom('triggers')
    .innerJoin('agents', 'agents.id', 'triggers.agent_id')
    .select([
      'triggers.id',
      'triggers.name',
      'triggers.kind',
      'triggers.entry_point',
      'triggers.input',
      'triggers.payload_key',
      'triggers.schedule',
      'triggers.jitter_seconds',
      'triggers.run_immediately',
      'triggers.misfire',
      'triggers.max_concurrent',
      'triggers.enabled',
      'triggers.disabled_reason',
      'triggers.owner',
      'triggers.due_at',
      'triggers.next_at',
      'triggers.last_at',
      'triggers.last_session_id',
      'triggers.secret_version',
      'triggers.created_at',
      'triggers.created_by',
      'agents.name as agent',
      sql<Date>`now()::timestamptz(3)`.as('now'),
    ])
}

export const listRows = preparePage<{ agent: string | undefined; kind: string | undefined }>()(
  'triggers.created_at',
  triggersWithAgent,
  {
    agent: (query, value) => query.where('agents.name', '=', value),
    kind: (query, value) => query.where('triggers.kind', '=', value),
  },
  'triggers.id',
)

export const findRow = prepare<{ id: string }>()((db, value) =>
  triggersWithAgent(db).where('triggers.id', '=', value.id),
)

export type TriggerRow = Awaited<ReturnType<typeof findRow>>[number]

/** The same, locked until the transaction ends: what fires and what changes come one after the other. */
export async function lockRow(tx: TenantQueries, id: string): Promise<TriggerRow | undefined> {
  await tx.selectFrom('triggers').select('id').where('id', '=', id).forNoKeyUpdate().execute()
  return (await findRow(tx, { id }))[0]
}

/** Waits for whoever else adds or renames triggers of this tenant, so that their number and their names hold. */
export async function lockCount(tx: TenantQueries, tenantId: string): Promise<number> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`triggers ${tenantId}`}, 0))`.execute(tx)
  const { count } = await tx
    .selectFrom('triggers')
    .select((one) => one.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

export interface NewTrigger {
  readonly name: string
  readonly kind: string
  readonly agent_id: string
  readonly entry_point: string | null
  readonly input: string
  readonly payload_key: string | null
  readonly schedule: string | null
  readonly jitter_seconds: number
  readonly run_immediately: boolean
  readonly misfire: string
  readonly max_concurrent: number
}

export async function insertRow(tx: TenantQueries, row: NewTrigger): Promise<string> {
  const { id } = await tx.insertInto('triggers').values(row).returning('id').executeTakeFirstOrThrow()
  return id
}

export async function updateRow(tx: TenantQueries, id: string, change: Updateable<Tables['triggers']>): Promise<void> {
  await tx.updateTable('triggers').set(change).where('id', '=', id).execute()
}

/** Puts a new sealed secret in place of the version `expected`; the old one serves until the date that comes back. */
export async function replaceSecret(
  tx: TenantQueries,
  id: string,
  expected: number,
  secret: Buffer,
  overlap: string,
): Promise<{ until: Date | null } | undefined> {
  const row = await tx
    .updateTable('triggers')
    .set({
      secret,
      secret_version: expected + 1,
      previous_secret: sql<Buffer | null>`secret`,
      previous_until: sql<Date | null>`case when secret is not null then now() + ${overlap}::interval end`,
    })
    .where('id', '=', id)
    .where('secret_version', '=', expected)
    .returning('previous_until')
    .executeTakeFirst()
  return row && { until: row.previous_until }
}

export async function deleteRow(tx: TenantQueries, id: string): Promise<boolean> {
  const row = await tx.deleteFrom('triggers').where('id', '=', id).returning('id').executeTakeFirst()
  return row !== undefined
}

/** How many runs of a trigger are not finished, counted up to `most`. */
export async function countOpenRuns(tx: TenantQueries, triggerId: string, most: number): Promise<number> {
  const rows = await tx
    .selectFrom('runs')
    .select('id')
    .where('trigger_id', '=', triggerId)
    .where('status', 'in', ['queued', 'running', 'waiting', 'paused'])
    .limit(most)
    .execute()
  return rows.length
}

export interface NewFiring {
  readonly trigger_id: string
  readonly key: string | null
  readonly due_at: Date | null
  readonly outcome: 'started' | 'skipped' | 'failed'
  readonly reason: string | null
  readonly session_id: string | null
}

export async function nameExists(tx: TenantQueries, name: string): Promise<boolean> {
  const row = await tx.selectFrom('triggers').select('id').where('name', '=', name).executeTakeFirst()
  return row !== undefined
}

/** Tells every worker that a timer may be due sooner than it believes. */
export async function notifyTriggers(tx: TenantQueries): Promise<void> {
  await sql`select app.notify_change('triggers')`.execute(tx)
}

/** Throws when what has this key has fired already: then nothing of the transaction happens. */
export async function insertFiring(tx: TenantQueries, firing: NewFiring): Promise<string> {
  const { id } = await tx.insertInto('trigger_firings').values(firing).returning('id').executeTakeFirstOrThrow()
  return id
}

const firingColumns = ['id', 'outcome', 'reason', 'session_id', 'due_at', 'fired_at', 'fired_by'] as const

export const findFiring = prepare<{ triggerId: string; key: string }>()((db, value) =>
  db
    .selectFrom('trigger_firings')
    .select(firingColumns)
    .where('trigger_id', '=', value.triggerId)
    .where('key', '=', value.key),
)

export const findFiringById = prepare<{ id: string }>()((db, value) =>
  db.selectFrom('trigger_firings').select(firingColumns).where('id', '=', value.id),
)

export const listFiringRows = preparePage<{ triggerId: string }>()(
  'fired_at',
  (db) => db.selectFrom('trigger_firings').select(firingColumns),
  { triggerId: (query, value) => query.where('trigger_id', '=', value) },
)

/** Forgets the oldest firings of a trigger, a few at a time. */
export async function pruneFirings(tx: TenantQueries, triggerId: string, age: string): Promise<void> {
  const old = tx
    .selectFrom('trigger_firings')
    .select('id')
    .where('trigger_id', '=', triggerId)
    .where('fired_at', '<', sql<Date>`now() - ${age}::interval`)
    .orderBy('fired_at')
    .limit(10)
  await tx.deleteFrom('trigger_firings').where('id', 'in', old).execute()
}
