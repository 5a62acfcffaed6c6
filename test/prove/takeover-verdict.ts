import { perRun, type Stage } from './takeover-stage.ts'

const expectedSteps = Array.from({ length: perRun.steps }, (_, index) => `step_${index + 1}`)

/** Everything that is not as it must be, in words. Empty when the proof holds. */
export async function faultsOf({ ask, server }: Stage, confirmed: ReadonlySet<string>): Promise<string[]> {
  const faults: string[] = []
  const must = (holds: boolean, text: string) => void (holds || faults.push(text))

  const open = await ask<{ id: string }>(`select id, status, error from runs where status <> 'completed'`)
  must(open.length === 0, `not completed: ${JSON.stringify(open.slice(0, 3))} (${open.length})`)

  const runs = await ask<{ id: string; steps: string[]; attempts: number; approvals: number; reports: number }>(`
    select r.id, r.attempts, r.steps, (select count(*)::int from approvals a where a.run_id = r.id) as approvals,
           (select count(*)::int from reports p where p.run_id = r.id) as reports
      from (select r.id, array_agg(s.node_id order by s.step) as steps, max(s.attempt) as attempts
              from runs r join run_steps s on s.run_id = r.id and s.status = 'completed' group by r.id) r`)
  for (const { id, steps, attempts, approvals, reports } of runs) {
    must(attempts === 1 && steps.join() === expectedSteps.join(), `${id}: steps ${steps} in ${attempts} attempts`)
    must(approvals === perRun.approvals, `${id}: ${approvals} approvals`)
    must(reports === 1, `${id}: ${reports} reports`)
  }
  const keys = keysByRun(server.received)
  for (const { id } of runs) must(keys.get(id)?.size === perRun.effects, `${id}: ${keys.get(id)?.size} effects`)
  must(keys.size === runs.length, `effects of ${keys.size} runs, but there are ${runs.length}`)
  const marks = await ask<{ id: string; mark: string }>(
    `select r.id, s.input #>> '{body,mark}' as mark from runs r join sessions s on s.id = r.session_id`,
  )
  const markOf = new Map(marks.map(({ id, mark }) => [id, mark]))
  for (const [key, bodies] of server.received) {
    const mark = markOf.get(key.split(':')[0]!)
    const foreign = bodies.some((body) => body !== 'cut off' && (body as { mark?: string }).mark !== mark)
    must(!foreign, `${key} came with another run's content`)
  }
  const lost = await ask(`select id from approvals where id = any($1) and status <> 'approved'`, [[...confirmed]])
  must(lost.length === 0, `${lost.length} confirmed answers are not there`)
  faults.push(...(await eventFaults({ ask })))
  return faults
}

/** Of every session's stream: no gap, nothing of another run, and each fact once. */
async function eventFaults({ ask }: Pick<Stage, 'ask'>): Promise<string[]> {
  const foreign = await ask(`
    select e.session_id from session_events e left join runs r on r.tenant_id = e.tenant_id and r.id = e.run_id
     where e.run_id is not null and r.session_id is distinct from e.session_id`)
  const gaps = await ask(`
    select session_id from session_events group by session_id having max(seq) <> count(*) or min(seq) <> 1`)
  const twice = await ask<{ type: string; n: number }>(`
    select type, count(*)::int as n from session_events
     where type in ('execution_started', 'execution_completed', 'approval_requested', 'approval_decided',
                    'tool_call_completed', 'node_completed', 'report_written')
     group by session_id, type, node_id having count(*) > 1`)
  return [
    ...(foreign.length > 0 ? [`${foreign.length} foreign events`] : []),
    ...(gaps.length > 0 ? [`${gaps.length} streams have gaps`] : []),
    ...twice.slice(0, 3).map(({ type, n }) => `${type} was told ${n} times`),
  ]
}

function keysByRun(received: ReadonlyMap<string, unknown>): Map<string, Set<string>> {
  const keys = new Map<string, Set<string>>()
  for (const key of received.keys()) {
    const run = key.split(':')[0]!
    keys.set(run, (keys.get(run) ?? new Set()).add(key))
  }
  return keys
}

export interface TakeoverFigures {
  readonly takeovers: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Seconds from the last sign of life of a run's worker until another one has it. */
export async function takeoverTimes({ ask }: Stage): Promise<TakeoverFigures> {
  const rows = await ask<{ s: number }>(`
    select extract(epoch from at - heard_at)::float as s from prove.takeovers where heard_at > 'epoch' order by 1`)
  const at = (share: number) => rows[Math.min(rows.length - 1, Math.floor(rows.length * share))]?.s ?? 0
  const short = (value: number) => Number(value.toFixed(1))
  return { takeovers: rows.length, p50: short(at(0.5)), p99: short(at(0.99)), max: short(at(1)) }
}
