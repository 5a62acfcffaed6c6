import { type RawBuilder, sql } from 'kysely'
import type { TenantQueries } from '../../db/queries.ts'

/** Longest value that is shown, as JSON text. */
const mostCharacters = 65_536

export interface ShownValue {
  readonly attempt: number
  readonly direction: 'input' | 'output'
  readonly key: string
  readonly value: unknown
  readonly bytes: number
}

/**
 * What the attempts of a step read and left in memory: the keys that its node declares, as of the step's first and its
 * last checkpoint. A value that is too long to show is null here.
 */
export async function listStepValues(queries: TenantQueries, runId: string, step: number): Promise<ShownValue[]> {
  const shown = sql`case when length(m.value::text) <= ${mostCharacters}::int then m.value end as value,
                    octet_length(m.value::text) as bytes`
  const result = await sql<ShownValue>`
    with attempts as (
      select s.attempt, s.started_seq, s.finished_seq, n.node,
             jsonb_path_query_first(c.state, '$.activations[*] ? (@.step == $step).inputMapping',
                                    jsonb_build_object('step', s.step)) as mapping
        from run_steps s
        join runs r on r.id = s.run_id
        join sessions on sessions.id = r.session_id
        join agent_versions v on v.id = sessions.agent_version_id
        cross join lateral (select n.value as node from json_array_elements(v.manifest -> 'graph' -> 'nodes') n
                             where n.value ->> 'id' = s.node_id) n
        left join checkpoints c on c.run_id = s.run_id and c.seq = s.started_seq
       where s.run_id = ${runId} and s.step = ${step} and s.started_seq is not null
    ), reads as (
      select a.attempt, k.key, coalesce(a.mapping ->> k.key, k.key) as source, a.started_seq
        from attempts a cross join lateral (${keysOf(['inputKeys', 'evidence'], ['proposal', 'over'])}) k
    ), writes as (
      select a.attempt, k.key, a.finished_seq
        from attempts a cross join lateral (${keysOf(['outputKeys'], ['proposal', 'id'])}) k
    )
    select r.attempt, 'input' as direction, r.key, ${shown} from reads r
      join lateral (select m.value from run_memory m where m.run_id = ${runId} and m.key = r.source
                      and m.seq <= r.started_seq order by m.seq desc limit 1) m on true
    union all
    select w.attempt, 'output', w.key, ${shown} from writes w
      join run_memory m on m.run_id = ${runId} and m.key = w.key and m.seq = w.finished_seq
     order by 1, 2, 3`.execute(queries)
  return result.rows
}

/** Names of memory in a node's declaration: lists of them, and single ones. */
function keysOf(lists: readonly string[], singles: readonly string[]): RawBuilder<unknown> {
  return sql`
    select distinct e.key from (select unnest(${sql.val([...lists])}::text[]) as field) f
     cross join lateral json_array_elements_text(coalesce(a.node -> f.field, '[]')) e(key)
    union select a.node ->> f.field from (select unnest(${sql.val([...singles])}::text[]) as field) f
     where a.node ->> f.field is not null`
}
