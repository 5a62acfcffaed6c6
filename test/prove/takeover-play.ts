import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { until } from '../support/until.ts'
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts'
import { type ChaosOptions, chance, disturb } from './chaos.ts'
import { answerAll, perRun, setStage, startRun } from './takeover-stage.ts'
import { faultsOf, takeoverTimes } from './takeover-verdict.ts'

export interface Play extends Pick<ChaosOptions, 'seed' | 'pauseMs' | 'stopMs' | 'log'> {
  readonly runs: number
  readonly tenants: number
  /** For how long the workers and the database are disturbed; runs are started over most of it. */
  readonly disturbedMs: number
  /** How long an effect takes at most. */
  readonly effectMs: number
  /** Cuts every connection off; when left out, by ending them one by one. */
  readonly restartDatabase?: ChaosOptions['cutDatabase']
}

/** Plays it, waits until every run has ended, and looks at what is left. */
export async function play(t: Pick<Test, 'teardown'>, options: Play) {
  const random = chance(options.seed + 1)
  const stage = await setStage(t, options.tenants, () => random() * options.effectMs)
  const start = () => startWorkerProcess(stage.place, { environment: { ENGINEX_EGRESS_ALLOW: stage.server.place } })
  const workers: WorkerProcess[] = [await start(), await start()]
  t.teardown(async () => {
    for (const worker of workers) worker.signal('SIGKILL', true)
    await Promise.all(workers.map(({ exited }) => exited))
  })
  const cut = `select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()`
  const cutDatabase = options.restartDatabase ?? (async () => void (await stage.ask(cut)))

  const begun = performance.now()
  let ended = false
  const answering = answerAll(stage, () => ended)
  const starting = startAll(options, (index) => startRun(stage, index))
  const isOver = () => performance.now() - begun > options.disturbedMs
  const chaos = await disturb(workers, { ...options, start, cutDatabase }, isOver)
  await starting
  const left = `select count(*)::int as n from runs where status not in ('completed', 'failed', 'rejected', 'cancelled')`
  await until('every run has ended', async () => (await stage.ask<{ n: number }>(left))[0]?.n === 0, 180_000)
  ended = true
  const confirmed = await answering

  const faults = await faultsOf(stage, confirmed)
  const times = await takeoverTimes(stage)
  const received = [...stage.server.received.values()]
  const figures = {
    runs: (await stage.ask<{ n: number }>('select count(*)::int as n from runs'))[0]!.n,
    effects: received.length,
    repeats: received.reduce((sum, bodies) => sum + bodies.length - 1, 0),
    approvals: confirmed.size,
    events: (await stage.ask<{ n: number }>('select count(*)::int as n from session_events'))[0]!.n,
    seconds: Math.round((performance.now() - begun) / 1000),
    disturbances: chaos.counts,
    drains: chaos.drains,
    ...times,
  }
  return { figures, faults, expectedEffects: figures.runs * perRun.effects }
}

async function startAll({ runs, disturbedMs }: Play, begin: (index: number) => Promise<void>): Promise<void> {
  const everyMs = (disturbedMs * 0.7) / runs
  for (let index = 0; index < runs; index += 1) await Promise.all([begin(index), delay(everyMs)])
}
