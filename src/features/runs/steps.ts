import { type RawBuilder, sql } from 'kysely'
import type { TenantQueries } from '../../db/queries.ts'
import { nameIn, namesWritten, type Sight } from '../../engine/sight.ts'

/** Longest value that is shown, as JSON text. */
const mostCharacters = 65_536

export interface ShownValue {
  readonly attempt: number
  readonly direction: 'input' | 'output'
  readonly key: string
  readonly value: unknown
  readonly bytes: number
}

interface Attempt extends Sight {
  readonly attempt: number
  readonly started_seq: number
  readonly finished_seq: number | null
  /** Names of memory that the node declares to read, and to write. */
  readonly reads: readonly string[]
  readonly writes: readonly string[]
}

/**
 * What the attempts of a step read and left in memory: the keys that its node declares, as of the step's first and its
 * last checkpoint. A value that is too long to show is null here.
 */
export async function listStepValues(queries: TenantQueries, runId: string, step: number): Promise<ShownValue[]> {
  const attempts = await attemptsOf(queries, runId, step)
  const wanted = attempts.flatMap((one) => [
    ...one.reads.map((key) => wantedOf(one, 'input', key, [nameIn(one, step, key)], one.started_seq)),
    ...(one.finished_seq === null
      ? []
      : one.writes.map((key) => wantedOf(one, 'output', key, namesWritten(one, step, key), one.finished_seq!))),
  ])
  if (wanted.length === 0) return []
  const { rows } = await sql<ShownValue>`
    select w.attempt, w.direction, w.key,
           case when length(m.value::text) <= ${mostCharacters}::int then m.value end as value,
           octet_length(m.value::text) as bytes
      from jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb)
             as w(attempt integer, direction text, key text, names jsonb, seq integer)
      cross join lateral (
        select m.value from jsonb_array_elements_text(w.names) with ordinality n(name, place)
          join run_memory m on m.run_id = ${runId} and m.key = n.name
                           and (m.seq = w.seq or w.direction = 'input' and m.seq < w.seq)
         order by n.place, m.seq desc limit 1) m
     order by 1, 2, 3`.execute(queries)
  return rows
}

function wantedOf(
  { attempt }: Attempt,
  direction: ShownValue['direction'],
  key: string,
  names: readonly string[],
  seq: number,
) {
  return { attempt, direction, key, names, seq }
}

async function attemptsOf(queries: TenantQueries, runId: string, step: number): Promise<Attempt[]> {
  const { rows } = await sql<Attempt>`
    select s.attempt, s.started_seq, s.finished_seq, k.reads, k.writes,
           coalesce((select jsonb_agg(a - 'loop' - 'pending') from jsonb_array_elements(c.state -> 'activations') a), '[]')
             as activations,
           coalesce(c.state -> 'forks', '[]') as forks
      from run_steps s
      join runs r on r.id = s.run_id
      join sessions on sessions.id = r.session_id
      join agent_versions v on v.id = sessions.agent_version_id
      cross join lateral (select n.value as node from json_array_elements(v.manifest -> 'graph' -> 'nodes') n
                           where n.value ->> 'id' = s.node_id) declared
      cross join lateral (select ${keysOf(['inputKeys', 'evidence'], ['proposal', 'over'])} as reads,
                                 ${keysOf(['outputKeys'], ['proposal', 'id'])} as writes) k
      left join checkpoints c on c.run_id = s.run_id and c.seq = s.started_seq
     where s.run_id = ${runId} and s.step = ${step} and s.started_seq is not null`.execute(queries)
  return rows
}

/** Names of memory in a node's declaration: lists of them, and single ones. */
function keysOf(lists: readonly string[], singles: readonly string[]): RawBuilder<unknown> {
  return sql`array(
    select e.key from unnest(${sql.val([...lists])}::text[]) field
     cross join lateral json_array_elements_text(coalesce(declared.node -> field, '[]')) e(key)
    union select declared.node ->> field from unnest(${sql.val([...singles])}::text[]) field
     where declared.node ->> field is not null)`
}
