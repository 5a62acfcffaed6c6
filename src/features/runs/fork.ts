import { sql } from 'kysely'
import type { TenantQueries } from '../../db/queries.ts'
import { AppError, notFound } from '../../errors.ts'

/** A checkpoint of a run, to go on from in a new one. */
export interface Source {
  readonly runId: string
  readonly seq: number
}

/**
 * A new run of the session that begins with the state and the memory of an earlier run's checkpoint. What is under way
 * there is done again, what is asked there is asked again. Throws not_found for another session's run, conflict for a
 * checkpoint that leads nowhere, and for one behind a decision that has served its purpose.
 */
export async function insertFork(tx: TenantQueries, sessionId: string, { runId, seq }: Source): Promise<string> {
  const checkpoint = await tx
    .selectFrom('checkpoints')
    .innerJoin('runs', 'runs.id', 'checkpoints.run_id')
    .select([sql<string>`checkpoints.state ->> 'status'`.as('status'), 'checkpoints.created_at'])
    .where('checkpoints.run_id', '=', runId)
    .where('checkpoints.seq', '=', seq)
    .where('runs.session_id', '=', sessionId)
    .executeTakeFirst()
  if (!checkpoint) throw notFound('checkpoint')
  if (checkpoint.status !== 'running' && checkpoint.status !== 'waiting') {
    throw new AppError('conflict', `the run had ended at checkpoint ${seq}; choose an earlier one`)
  }
  await assertUnspent(tx, sessionId, { runId, seq }, checkpoint.created_at)
  const { id } = await tx
    .insertInto('runs')
    .values({ session_id: sessionId, seq, forked_from_run: runId, forked_from_seq: seq })
    .returning('id')
    .executeTakeFirstOrThrow()
  await copy(tx, { runId, seq }, id)
  return id
}

/**
 * A decision lets the work behind it be done once. When a step was completed after one that lies in front of the
 * checkpoint, and the checkpoint does not know of it, it would be done twice: people are to be asked anew.
 */
async function assertUnspent(tx: TenantQueries, sessionId: string, { runId, seq }: Source, until: Date): Promise<void> {
  const { rows } = await sql<{ title: string }>`
    with recursive line as (
      select r.id, r.forked_from_run, r.forked_from_seq, ${seq}::integer as seq, ${until}::timestamptz as until
        from runs r where r.id = ${runId}
      union all
      select r.id, r.forked_from_run, r.forked_from_seq, c.seq, c.created_at
        from line l
        join runs r on r.id = l.forked_from_run
        join checkpoints c on c.run_id = l.forked_from_run and c.seq = l.forked_from_seq
    )
    select a.title from line l
      join approvals a on a.run_id = l.id and a.decided_at <= l.until
     where exists (select from runs r join run_steps s on s.run_id = r.id
                    where r.session_id = ${sessionId} and s.status = 'completed' and s.finished_at > a.decided_at
                      and not exists (select from line known where known.id = s.run_id and s.finished_seq <= known.seq))
     limit 1`.execute(tx)
  const [spent] = rows
  if (!spent) return
  const message = `the work that "${spent.title}" allowed was done; choose a checkpoint before it, so that it is asked again`
  throw new AppError('conflict', message)
}

async function copy(tx: TenantQueries, { runId, seq }: Source, fork: string): Promise<void> {
  await sql`insert into checkpoints (run_id, seq, state, kind, node_id)
            select ${fork}::uuid, c.seq, c.state, c.kind, c.node_id from checkpoints c
             where c.run_id = ${runId} and c.seq = ${seq}`.execute(tx)
  await sql`insert into run_memory (run_id, key, seq, value)
            select distinct on (m.key) ${fork}::uuid, m.key, m.seq, m.value from run_memory m
             where m.run_id = ${runId} and m.seq <= ${seq} order by m.key, m.seq desc`.execute(tx)
  // Steps that were open at the checkpoint are open again; those before it are the earlier run's.
  await sql`insert into run_steps (run_id, step, attempt, node_id, status, started_seq)
            select ${fork}::uuid, s.step, s.attempt, s.node_id,
                   case when exists (select from approvals a where a.run_id = s.run_id and a.call like s.step || '.%')
                     then 'waiting' else 'running' end, s.started_seq
              from run_steps s
             where s.run_id = ${runId} and s.started_seq <= ${seq}
               and (s.finished_seq is null or s.finished_seq > ${seq})`.execute(tx)
}
