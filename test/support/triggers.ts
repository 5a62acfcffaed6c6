import { pino } from 'pino'
import type { Test } from 'tap'
import { Doors } from '../../src/db/doors.ts'
import type { TriggerCreate, TriggerCreated } from '../../src/features/triggers/schema.ts'
import { createTrigger } from '../../src/features/triggers/service.ts'
import { fireDue } from '../../src/worker/fire-timer.ts'
import type { Job } from '../../src/worker/repeat.ts'
import { startTimer } from '../../src/worker/timer.ts'
import { seedTenant, type TestTenant } from './database.ts'
import { tinyPackage } from './tiny-package.ts'
import { until } from './until.ts'
import type { Workplace } from './work.ts'

/** Deploys an agent `tiny` that takes a number, and `payload`, which a webhook brings. */
export async function deployTiny(place: Workplace, tenant: TestTenant): Promise<void> {
  const properties = { number: { type: 'integer' }, payload: { type: 'object' } }
  await place.deploy(tenant, 'tiny', tinyPackage({ input: { type: 'object', properties } }))
}

/** Adds a trigger of the agent `tiny` as the tenant's builder. */
export function addTrigger(
  place: Workplace,
  tenant: TestTenant,
  trigger: Omit<TriggerCreate, 'agent'>,
): Promise<TriggerCreated> {
  const builder = place.as(tenant, 'builder', 'triggers:write')
  return createTrigger(place.vault, builder, { agent: 'tiny', ...trigger }, new Date())
}

/** Adds `count` timers that are due as of `due`, a text of PostgreSQL's, as copies of the trigger. */
export async function copyTimer(place: Workplace, id: string, count: number, due = 'now()'): Promise<void> {
  await place.admin.query(
    `insert into triggers (tenant_id, name, kind, agent_id, input, schedule, misfire, max_concurrent, owner, due_at, next_at, created_by)
     select tenant_id, name || ' ' || n, kind, agent_id, input, schedule, misfire, max_concurrent, owner, ${due}, ${due}, created_by
       from triggers, generate_series(1, $2) n where id = $1`,
    [id, count],
  )
}

/** The timers of one worker, over connections of its own. */
export async function runTimers(t: Pick<Test, 'teardown'>, place: Workplace, pollMs = 50): Promise<Job> {
  const log = pino({ level: 'silent' })
  const database = await place.connect({ url: place.workerUrl, shared: 0, exclusive: 4 })
  const doors = new Doors(database)
  const timer = startTimer({ doors, fire: (due) => fireDue({ database, doors, log }, due), pollMs, log })
  t.teardown(() => timer.stop())
  return timer
}

export const hourly = { kind: 'timer', schedule: { everyMinutes: 60 }, input: { number: 4 } } as const

/** What tests of triggers ask and do. */
export function triggerTests(place: Workplace) {
  const { admin, doors } = place
  const one = async (text: string, values: unknown[] = []) => (await admin.query(text, values)).rows[0]
  let tenants = 0
  return {
    one,
    /** A tenant with the agent `tiny`. */
    async newTenant(): Promise<TestTenant> {
      tenants += 1
      const tenant = await seedTenant(doors, `tenant-${tenants}`)
      await deployTiny(place, tenant)
      return tenant
    },
    /** Outcomes with their reasons, in the order of the times. */
    async firingsOf(triggerId: string): Promise<string[]> {
      const text = 'select * from trigger_firings where trigger_id = $1 order by due_at'
      const { rows } = await admin.query(text, [triggerId])
      return rows.map((row) => `${row.outcome}${row.reason ? ` ${row.reason.code}` : ''}`)
    },
    /** As if nothing had fired since the trigger was due; `due` is a text of PostgreSQL's. */
    async dueSince(triggerId: string, due: string): Promise<void> {
      await admin.query(`update triggers set due_at = ${due}, next_at = ${due} where id = $1`, [triggerId])
    },
    nothingDue: () =>
      until('nothing is due', async () => {
        return (await one('select count(*) from triggers where next_at <= now()')).count === '0'
      }),
  }
}
