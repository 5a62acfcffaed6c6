import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { PgBoss } from 'pg-boss'
import { chainPackage } from '../support/chain-package.ts'
import { seedTenant, type TestTenant } from '../support/database.ts'
import { conclude, onStage, stage } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { type Workplace, workplace } from '../support/work.ts'
import { startWorkerProcess } from '../support/worker-process.ts'
import { queue, type StepJob } from './runs-boss.ts'

// What does a durable step cost here, and how soon does a run start?
//   enginex  runs of functions that do nothing, in the sandbox, as every worker process advances them: isolated between
//            tenants, a checkpoint, the memory, the record of the step and the session's events in one transaction
//   boss     a bare loop of pg-boss 12 whose steps are as durable: one job is one step, which does nothing; the next
//            step's job is made in the transaction that completes this one. Ten jobs in one transaction, woken by NOTIFY,
//            no pause while there is more: the fastest of the settings that were tried (test/bench/runs-boss.ts).
// Same PostgreSQL with fsync, same run, in turn; steps per second from the first queued run to the last one's end. A ratio
// is the median of the rounds' ratios; the spread is (highest - lowest) / median.
// Start latency: one run at a time, queued when nothing else runs: from its row's time to its first step's (enginex: the
// package is loaded and the first checkpoint begins; boss: the job is fetched). `first`: the first run of a new worker,
// and the first after five minutes without one, for which the process of the runs has to be started.
// Goals: at 10 steps >= 0.5 boss with 1 and with 2 workers; start p50 <= 50 ms, p99 <= 200 ms.

const goals = { ratioOf10: 0.5, p50: 50, p99: 200 }
const rounds = 5
const lengths = [1, 5, 10]
const stepsOfRound = 1000
const tenants = 20
const starts = 100

const unfinished = `select from runs where status in ('queued', 'running') limit 1`
const undone = `select from pgboss.job where name = '${queue}' and state < 'completed' limit 1`

conclude(await onStage({ durable: true }, measure))

interface Bench {
  readonly place: Workplace
  readonly boss: PgBoss
}

async function measure() {
  const place = await workplace(stage)
  const seeded: TestTenant[] = []
  for (let index = 0; index < tenants; index += 1) seeded.push(await seedTenant(place.doors, `tenant-${index}`))
  for (const steps of lengths) for (const tenant of seeded) await place.deploy(tenant, `noop-${steps}`, noops(steps))
  await place.admin.query('update tenants set run_cap = 1000')
  const boss = await new PgBoss({ connectionString: place.adminUrl, max: 2 }).start()
  stage.teardown(() => boss.stop({ graceful: false }))
  await boss.createQueue(queue, { notify: true })
  const bench = { place, boss }

  const figures: Record<string, Figure> = {}
  await startBoth(place)
  const first = Math.round(await startOfRun(place))
  await rounded(bench, 1, figures)
  const start = { ...(await latency(bench)), first }
  await startBoth(place)
  await rounded(bench, 2, figures)
  const passed =
    [1, 2].every((workers) => figures[`${workers} x 10`]!.ratio >= goals.ratioOf10) &&
    start.enginex.p50 <= goals.p50 &&
    start.enginex.p99 <= goals.p99
  return { bench: 'runs', passed, goals, rounds, stepsOfRound, figures, start }
}

/** One more process of each kind. */
async function startBoth(place: Workplace): Promise<void> {
  const worker = await startWorkerProcess(place)
  const loop: ChildProcess = fork(new URL('runs-boss.ts', import.meta.url), [place.adminUrl, '10', '1'])
  await once(loop, 'message')
  stage.teardown(async () => {
    loop.disconnect()
    worker.signal('SIGTERM')
    await worker.exited
  })
}

interface Figure {
  readonly enginex: number
  readonly boss: number
  readonly ratio: number
  readonly spread: number
}

async function rounded(bench: Bench, workers: number, figures: Record<string, Figure>): Promise<void> {
  for (const steps of lengths) {
    await ours(bench, steps)
    await theirs(bench, steps)
  }
  for (const steps of lengths) {
    const pairs: { enginex: number; boss: number; ratio: number }[] = []
    for (let round = 0; round < rounds; round += 1) {
      const [enginex, boss] = [await ours(bench, steps), await theirs(bench, steps)]
      pairs.push({ enginex, boss, ratio: enginex / boss })
    }
    const all = (field: 'enginex' | 'boss' | 'ratio') => pairs.map((pair) => pair[field])
    const [ratio, ratios] = [median(all('ratio')), all('ratio')]
    const figure = {
      enginex: Math.round(median(all('enginex'))),
      boss: Math.round(median(all('boss'))),
      ratio: Number(ratio.toFixed(3)),
      spread: Number(((Math.max(...ratios) - Math.min(...ratios)) / ratio).toFixed(2)),
    }
    figures[`${workers} x ${steps}`] = figure
    console.log(`${workers} workers, runs of ${steps} steps, per second: ${JSON.stringify(figure)}`)
  }
}

/** @returns steps per second */
async function ours({ place }: Bench, steps: number): Promise<number> {
  const runs = Math.ceil(stepsOfRound / steps)
  const started = performance.now()
  await queueRuns(place, `noop-${steps}`, runs)
  await until('every run has ended', async () => !(await place.admin.query(unfinished)).rowCount, 120_000)
  const seconds = (performance.now() - started) / 1000
  const { rows } = await place.admin.query(`select count(*)::int as n from runs where status <> 'completed'`)
  if (rows[0].n > 0) throw new Error(`${rows[0].n} runs failed`)
  return (runs * steps) / seconds
}

/** As many runs as wanted, spread over the tenants. */
async function queueRuns(place: Workplace, agent: string, runs: number): Promise<void> {
  const text = `
    with chosen as (
      select a.tenant_id, a.id, a.active_version_id, row_number() over (order by a.tenant_id) - 1 as place
        from agents a where a.name = $1
    ), made as (
      insert into sessions (tenant_id, agent_id, agent_version_id, title, input, created_by)
      select tenant_id, id, active_version_id, $1, '{}', 'user:bench' from generate_series(1, $2::int) n
        join chosen on chosen.place = n % (select count(*) from chosen) returning tenant_id, id
    ), queued as (
      insert into runs (tenant_id, session_id, created_by) select tenant_id, id, 'user:bench' from made returning tenant_id
    ) select pg_notify('enginex', tenant_id || ':runs') from (select distinct tenant_id from queued) told`
  await place.admin.query(text, [agent, runs])
}

async function theirs({ place, boss }: Bench, steps: number): Promise<number> {
  const runs = Math.ceil(stepsOfRound / steps)
  const started = performance.now()
  const jobs = Array.from({ length: runs }, (_, run) => ({ data: { run, step: 1, steps } satisfies StepJob }))
  await boss.insert(queue, jobs)
  await until('every job is done', async () => !(await place.admin.query(undone)).rowCount, 120_000)
  const seconds = (performance.now() - started) / 1000
  const { rows } = await place.admin.query('select count(*)::int as n from pgboss.job where name = $1', [queue])
  if (rows[0].n !== runs * steps) throw new Error(`${rows[0].n} jobs instead of ${runs * steps}`)
  await place.admin.query('delete from pgboss.job where name = $1', [queue])
  return (runs * steps) / seconds
}

async function latency({ place, boss }: Bench) {
  const [warm, jobs]: [number[], number[]] = [[], []]
  for (let index = 0; index < starts; index += 1) {
    warm.push(await startOfRun(place))
    jobs.push(await startOfJob(place, boss))
    await delay(50 + ((index * 37) % 300)) // at no fixed time of the pollers
  }
  await place.admin.query('delete from pgboss.job where name = $1', [queue])
  const found = { enginex: quantiles(warm), boss: quantiles(jobs) }
  console.log(`start latency, ms: ${JSON.stringify(found)}`)
  return found
}

async function startOfRun(place: Workplace): Promise<number> {
  await queueRuns(place, 'noop-1', 1)
  await until('the run has ended', async () => !(await place.admin.query(unfinished)).rowCount)
  const { rows } = await place.admin.query(`
    select extract(epoch from s.started_at - r.queued_at) * 1000 as ms from runs r
      join run_steps s on s.run_id = r.id order by r.queued_at desc limit 1`)
  return Number(rows[0].ms)
}

async function startOfJob(place: Workplace, boss: PgBoss): Promise<number> {
  await boss.send(queue, { run: 0, step: 1, steps: 1 } satisfies StepJob)
  await until('the job is done', async () => !(await place.admin.query(undone)).rowCount)
  const { rows } = await place.admin.query(`
    select extract(epoch from started_on - created_on) * 1000 as ms from pgboss.job order by created_on desc limit 1`)
  return Number(rows[0].ms)
}

function noops(steps: number): Map<string, Buffer> {
  const nodes = Array.from({ length: steps }, () => ({ does: 'nothing' }))
  return chainPackage(`noop-${steps}`, nodes, { nothing: 'export default () => ({})' })
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function quantiles(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!)
  return { p50: at(0.5), p99: at(0.99) }
}
