import pg from 'pg'
import { chainPackage } from '../support/chain-package.ts'
import { seedTenant, type TestTenant } from '../support/database.ts'
import { conclude, onStage, stage } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { type Workplace, workplace } from '../support/work.ts'
import { startWorkerProcess } from '../support/worker-process.ts'

// One organization queues 2,000 runs, then 40 others queue 3 each, for two worker processes with six slots each. The runs
// have five steps that compute for about 5 ms. Compared within one run, in turn: how long do the 40 need with and without
// the long queue in front of them, until the last run of the last of them has ended? (worstOfAnOrganization compares them
// one by one, from the first that was done to the last, and tells the worst; the first ones are done in half a second.)
// Goals: at most 1.5 times as long (median of the rounds), and the long queue's organization never has more than its cap
// of 4 runs at once, looked at every 10 ms by a connection of its own.

const goals = { ratio: 1.5, cap: 4 }
const rounds = 5
const [longQueue, others, runsOfEach] = [2000, 40, 3]

conclude(await onStage({ durable: true }, measure))

interface Times {
  /** Seconds until the last run of all has ended. */
  readonly all: number
  /** Of the organizations, from the first one that was done to the last. */
  readonly each: readonly number[]
}

async function measure() {
  const place = await workplace(stage)
  const greedy = await seedTenant(place.doors, 'greedy')
  const modest: TestTenant[] = []
  for (let index = 0; index < others; index += 1) modest.push(await seedTenant(place.doors, `modest-${index}`))
  for (const tenant of [greedy, ...modest]) await place.deploy(tenant, 'work', fiveSteps())
  for (let count = 0; count < 2; count += 1) {
    const worker = await startWorkerProcess(place)
    stage.teardown(async () => {
      worker.signal('SIGTERM')
      await worker.exited
    })
  }
  await timesOf(place, modest) // warm
  const watch = await watchCap(place, greedy)
  const pairs: { alone: Times; beside: Times }[] = []
  for (let round = 1; round <= rounds; round += 1) {
    const alone = await timesOf(place, modest)
    await queueRuns(place, [greedy], longQueue)
    await until('the long queue is under way', () => watch.most > 0)
    const beside = await timesOf(place, modest)
    await drop(place, greedy)
    pairs.push({ alone, beside })
    console.log(`round ${round}: alone ${alone.all.toFixed(2)} s, beside the long queue ${beside.all.toFixed(2)} s`)
  }
  const { most, looks } = await watch.stop()
  const ratios = pairs.map(({ alone, beside }) => beside.all / alone.all)
  const worst = pairs.map(({ alone, beside }) => Math.max(...beside.each.map((time, n) => time / alone.each[n]!)))
  const figures = {
    ratio: short(median(ratios)),
    spread: short((Math.max(...ratios) - Math.min(...ratios)) / median(ratios)),
    worstOfAnOrganization: short(median(worst)),
    alone: short(median(pairs.map(({ alone }) => alone.all))),
    beside: short(median(pairs.map(({ beside }) => beside.all))),
    mostAtOnce: most,
    looks,
  }
  const passed = figures.ratio <= goals.ratio && most <= goals.cap
  return { bench: 'fairness', passed, goals, rounds, ...figures }
}

/** Queues the runs of the modest ones and waits for their end. */
async function timesOf(place: Workplace, tenants: readonly TestTenant[]): Promise<Times> {
  const ids = await queueRuns(place, tenants, tenants.length * runsOfEach)
  const text = `select from runs where id = any($1) and status in ('queued', 'running') limit 1`
  await until('their runs have ended', async () => !(await place.admin.query(text, [ids])).rowCount, 180_000)
  const { rows } = await place.admin.query<{ s: number; ok: boolean }>(
    `select extract(epoch from max(finished_at) - min(queued_at))::float as s, bool_and(status = 'completed') as ok
       from runs where id = any($1) group by tenant_id order by 1`,
    [ids],
  )
  if (!rows.every(({ ok }) => ok)) throw new Error('a run failed')
  const each = rows.map(({ s }) => s)
  return { all: each.at(-1)!, each }
}

async function queueRuns(place: Workplace, tenants: readonly TestTenant[], runs: number): Promise<string[]> {
  const text = `
    with chosen as (
      select a.tenant_id, a.id, a.active_version_id, row_number() over (order by a.tenant_id) - 1 as place
        from agents a where a.tenant_id = any($1)
    ), made as (
      insert into sessions (tenant_id, agent_id, agent_version_id, title, input, created_by)
      select tenant_id, id, active_version_id, 'work', '{}', 'user:bench' from generate_series(1, $2::int) n
        join chosen on chosen.place = n % (select count(*) from chosen) returning tenant_id, id
    ) insert into runs (tenant_id, session_id, created_by) select tenant_id, id, 'user:bench' from made returning id`
  const { rows } = await place.admin.query<{ id: string }>(text, [tenants.map((one) => one.tenantId), runs])
  await place.admin.query(`select pg_notify('enginex', $1 || ':runs')`, [tenants[0]!.tenantId])
  return rows.map(({ id }) => id)
}

/** Takes what is left of the long queue away, and waits for what is under way. */
async function drop({ admin }: Workplace, { tenantId }: TestTenant): Promise<void> {
  await admin.query(
    `update runs set status = 'cancelled', finished_at = now() where tenant_id = $1 and status = 'queued'`,
    [tenantId],
  )
  const text = `select from runs where tenant_id = $1 and status = 'running' limit 1`
  await until('nothing of it runs', async () => !(await admin.query(text, [tenantId])).rowCount)
}

async function watchCap({ adminUrl }: Workplace, { tenantId }: TestTenant) {
  const client = new pg.Client(adminUrl)
  await client.connect()
  let [most, looks] = [0, 0]
  let asking = false
  const text = `select count(*)::int as n from app.runs where tenant_id = $1 and status = 'running'`
  const timer = setInterval(async () => {
    if (asking) return
    asking = true
    const { rows } = await client.query<{ n: number }>({ name: 'cap', text, values: [tenantId] })
    most = Math.max(most, rows[0]!.n)
    looks += 1
    asking = false
  }, 10)
  return {
    get most() {
      return most
    },
    async stop() {
      clearInterval(timer)
      await until('the last look is over', () => !asking)
      await client.end()
      return { most, looks }
    },
  }
}

function fiveSteps(): Map<string, Buffer> {
  const nodes = Array.from({ length: 5 }, () => ({ does: 'compute' }))
  const compute = 'export default () => { let x = 0; for (let i = 0; i < 100_000; i++) x ^= i; return { x } }'
  return chainPackage('work', nodes, { compute })
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function short(value: number): number {
  return Number(value.toFixed(2))
}
