import { randomUUID } from 'node:crypto'
import { type Db, type Job, PgBoss } from 'pg-boss'

// A bare loop of pg-boss for runs.ts: one job is one step, and the job of the next step is made in the transaction that
// completes this one. argv: database address, batch size, loops in this process.

export const queue = 'steps'
export interface StepJob {
  readonly run: number
  readonly step: number
  readonly steps: number
}

if (process.send) {
  const [url = '', batch = '10', loops = '1'] = process.argv.slice(2)
  const boss = await new PgBoss({ connectionString: url, useListenNotify: true, max: 10 }).start()
  boss.on('error', (error) => console.error(error))
  await boss.work(
    queue,
    {
      batchSize: Number(batch),
      localConcurrency: Number(loops),
      transactional: true,
      pollingIntervalSeconds: 0.5,
      notifyPollingIntervalSeconds: 0.5,
      burstWhenBatchFull: true,
    },
    async (jobs: Job<StepJob>[], db: Db) => {
      const next = jobs.filter(({ data }) => data.step < data.steps)
      if (next.length === 0) return
      const made = next.map(({ data }) => ({ id: randomUUID(), data: { ...data, step: data.step + 1 } }))
      await boss.insert(queue, made, { db })
    },
  )
  process.once('disconnect', () => void boss.stop({ graceful: false }).finally(() => process.exit()))
  process.send('ready')
}
