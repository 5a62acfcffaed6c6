import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Test } from 'tap'
import { decide } from '../../src/features/approvals/service.ts'
import { chainPackage } from '../support/chain-package.ts'
import { seedTenant, type TestTenant } from '../support/database.ts'
import { type EffectServer, startEffectServer } from '../support/effect-server.ts'
import { type Workplace, workplace } from '../support/work.ts'

/** Where the proof of takeover.ts plays: organizations, an agent of ten steps, the system that its effects reach. */
export interface Stage {
  readonly place: Workplace
  readonly tenants: readonly TestTenant[]
  readonly server: EffectServer
  /** A superuser's query; while the database is away it is asked again. */
  readonly ask: <R extends object>(text: string, values?: readonly unknown[]) => Promise<R[]>
}

export const agent = 'ten-steps'
/** Six effects outside, two questions, a tool of the package, a report. */
export const perRun = { effects: 6, approvals: 2, steps: 10 }

const http = { does: 'http', inputKeys: ['url', 'method', 'body'] }
const question = { does: 'approval' }
const tenSteps = [
  ...[http, http, http, question, http, http, question, http],
  { does: 'conclude', outputKeys: ['report'] },
  { does: 'write_report', inputKeys: ['report'] },
]
const conclude = `export default () => ({ report: { title: 'Done', facts: [], tables: [] } })`

/** Notes every time that a run goes from one worker to another: when, and when the one before was last heard of. */
const takeoverLog = `
  create schema prove;
  create table prove.takeovers (run_id uuid, epoch integer, worker_id uuid, heard_at timestamptz, at timestamptz);
  create function prove.note() returns trigger language plpgsql security definer as $$
  begin
    insert into prove.takeovers values (old.id, old.epoch, old.worker_id, old.heartbeat_at, clock_timestamp());
    return null;
  end $$;
  create trigger note after update on app.runs for each row
    when (old.status = 'running' and new.takeovers > old.takeovers) execute function prove.note()`

export async function setStage(t: Pick<Test, 'teardown'>, tenantCount: number, delayMs: () => number): Promise<Stage> {
  const place = await workplace(t)
  const tenants: TestTenant[] = []
  for (let index = 0; index < tenantCount; index += 1) tenants.push(await seedTenant(place.doors, `tenant-${index}`))
  for (const tenant of tenants) await place.deploy(tenant, agent, chainPackage(agent, tenSteps, { conclude }))
  await place.admin.query(takeoverLog)
  return { place, tenants, server: await startEffectServer(t, delayMs), ask: asker(t, place.adminUrl) }
}

function asker(t: Pick<Test, 'teardown'>, url: string): Stage['ask'] {
  const pool = new pg.Pool({ connectionString: url, max: 2, options: '-c search_path=app' })
  pool.on('error', () => undefined)
  t.teardown(() => pool.end())
  return async (text, values = []) => (await patiently(() => pool.query(text, [...values]))).rows
}

/** Tries again while the database is away. */
export async function patiently<T>(work: () => Promise<T>, forMs = 60_000): Promise<T> {
  const deadline = performance.now() + forMs
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (performance.now() > deadline) throw error
      await delay(100)
    }
  }
}

/** Starts a run; one whose answer is lost with the database may have been started, and is started again. */
export async function startRun({ place, tenants, server }: Stage, index: number): Promise<void> {
  const tenant = tenants[index % tenants.length]!
  const body = { mark: `${tenant.alias} ${index}` }
  await patiently(() => place.begin(tenant, agent, { url: server.url, method: 'POST', body }))
}

/** Answers every question as soon as it is asked, until `done`. @returns ids of the answers that were confirmed */
export async function answerAll({ place, tenants, ask }: Stage, done: () => boolean): Promise<Set<string>> {
  const confirmed = new Set<string>()
  while (!done()) {
    const text = `select id, tenant_id, payload_hash from approvals where status = 'pending'`
    for (const one of await ask<{ id: string; tenant_id: string; payload_hash: string }>(text)) {
      const tenant = tenants.find(({ tenantId }) => tenantId === one.tenant_id)!
      const decision = { decision: 'approve', payloadHash: one.payload_hash, reason: 'because' } as const
      const answer = decide(place.as(tenant, 'operator', 'approvals:write'), one.id, decision, new Date())
      await answer.then(
        () => confirmed.add(one.id),
        () => undefined, // asked again, if it is still pending
      )
    }
    await delay(50)
  }
  return confirmed
}
