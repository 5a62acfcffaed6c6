import { readdirSync, readFileSync } from 'node:fs'
import type { Test } from 'tap'
import { seedTenant } from '../support/database.ts'
import { tinyPackage } from '../support/tiny-package.ts'
import { until } from '../support/until.ts'
import { type Workplace, workplace } from '../support/work.ts'
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts'

/** What a worker and the database do while nothing is to be done. */
interface Idle {
  /** Of the worker and the process of its runs, when there is one. */
  readonly rssMb: number
  /** Of runs, approvals and checkpoints that were read for each look at the queue. */
  readonly rowsPerLook: number
}

/** `waiting` runs wait for an approval; what does that cost, and is each of them still alive? */
export async function playWaiting(t: Pick<Test, 'teardown'>, waiting: number, looks: number) {
  const place = await workplace(t)
  const acme = await seedTenant(place.doors, 'acme')
  await place.deploy(acme, 'tiny', tinyPackage())
  const worker = await startWorkerProcess(place, { environment: { ENGINEX_WORKER_IDLE_SECONDS: '2' } })
  t.teardown(async () => {
    worker.signal('SIGKILL', true)
    await worker.exited
  })
  const first = await place.begin(acme, 'tiny', { number: 7 })
  await place.arrives(first.runId, 'waiting')
  const before = await idle(place, worker, looks)
  const copies = await copy(place, first, waiting)
  const after = await idle(place, worker, looks)

  const held = await place.admin.query(`select from runs where status <> 'waiting'`)
  const last = copies.at(-1)!
  await place.answer(acme, last, 'approve')
  const ended = await place.arrives(last, 'completed')
  const left = await place.admin.query(`select count(*)::int as n from runs where status = 'waiting'`)
  return {
    waiting: copies.length + 1,
    heldWhileWaiting: held.rowCount,
    before,
    after,
    growth: Number((after.rssMb / before.rssMb).toFixed(3)),
    oneAnswered: { completed: ended['status'] === 'completed', stillWaiting: left.rows[0].n as number },
  }
}

/** Waits until the process of the runs has ended and the worker has looked at the queue some more times. */
async function idle(place: Workplace, worker: WorkerProcess, looks: number): Promise<Idle> {
  await until('the process of the runs has ended', () => processesOf(worker.pid).length === 1, 30_000)
  await look(place, looks)
  const read = await rowsRead(place)
  await look(place, looks)
  const rows = (await rowsRead(place)) - read
  const kilobytes = processesOf(worker.pid).reduce((sum, pid) => sum + rssOf(pid), 0)
  return { rssMb: Number((kilobytes / 1024).toFixed(1)), rowsPerLook: Number((rows / looks).toFixed(1)) }
}

async function look({ admin }: Workplace, times: number): Promise<void> {
  const seen = new Set<number>()
  const text = `select query_start from pg_stat_activity where datname = current_database() and query like '%take_runs%'
                   and pid <> pg_backend_pid() order by 1 desc limit 1`
  await until(
    'the worker has looked',
    async () => {
      const { rows } = await admin.query<{ query_start: Date }>(text)
      if (rows[0]) seen.add(rows[0].query_start.getTime())
      return seen.size > times
    },
    60_000,
  )
}

/** By whichever way, from the tables that grow with what waits. */
async function rowsRead({ admin }: Workplace): Promise<number> {
  await admin.query('select pg_stat_clear_snapshot()')
  const { rows } = await admin.query(`
    select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int as n from pg_stat_user_tables
     where schemaname = 'app' and relname in ('runs', 'approvals', 'checkpoints', 'sessions', 'run_memory')`)
  return rows[0].n
}

function processesOf(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )
  return [pid, ...children]
}

function rssOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

/** Copies a run with all that belongs to it. @returns the copies' ids */
async function copy({ admin }: Workplace, { runId, sessionId }: { runId: string; sessionId: string }, count: number) {
  const columns = async (table: string, replaced: readonly string[]) => {
    const { rows } = await admin.query(
      `select string_agg(quote_ident(attname), ', ') as names from pg_attribute
        where attrelid = ('app.' || $1)::regclass and attnum > 0 and not attisdropped and attname <> all ($2)`,
      [table, replaced],
    )
    return rows[0].names as string
  }
  await admin.query(
    'create temporary table copies as select uuidv7() as s, uuidv7() as r from generate_series(1, $1::int)',
    [count],
  )
  const insert = async (table: string, own: Record<string, string>, where: string) => {
    const rest = await columns(table, Object.keys(own))
    await admin.query(`
      insert into app.${table} (${Object.keys(own).join(', ')}, ${rest})
      select ${Object.values(own).join(', ')}, ${rest.replace(/("?\w+"?)/g, 'o.$1')} from app.${table} o, copies where ${where}`)
  }
  await insert('sessions', { id: 's' }, `o.id = '${sessionId}'`)
  await insert('runs', { id: 'r', session_id: 's' }, `o.id = '${runId}'`)
  for (const table of ['checkpoints', 'run_memory', 'run_steps']) {
    await insert(table, { run_id: 'r' }, `o.run_id = '${runId}'`)
  }
  await insert(
    'session_events',
    { session_id: 's', run_id: 'r' },
    `o.session_id = '${sessionId}' and o.run_id is not null`,
  )
  await insert('approvals', { id: 'uuidv7()', session_id: 's', run_id: 'r' }, `o.run_id = '${runId}'`)
  await admin.query('analyze')
  return (await admin.query<{ r: string }>('select r from copies')).rows.map(({ r }) => r)
}
