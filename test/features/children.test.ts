import t from 'tap'
import { answerChild, startChild } from '../../src/features/sessions/children.ts'
import { readTemplate } from '../../src/templates/index.ts'
import { TenantContext } from '../../src/tenancy/context.ts'
import { askingPackage, chatModel, type Script } from '../support/chat-model.ts'
import { seedTenant } from '../support/database.ts'
import { until } from '../support/until.ts'
import { workplace } from '../support/work.ts'

// Sessions that a run starts: once for each call, and not without end.
const place = await workplace(t)
const { admin } = place
const acme = await seedTenant(place.doors, 'acme')
const scripts: Record<string, Script> = {
  hold: () => 'Wait.',
  year: () => [['ask_user', { question: 'Which year?' }]],
}
await place.work(t, await chatModel(t, scripts))
await place.deploy(acme, 'supervisor', await readTemplate('supervisor'))
await place.deploy(acme, 'asker', askingPackage())

const one = async (text: string, ...values: unknown[]) => (await admin.query(text, values)).rows[0]

/** A run of the supervisor that this test holds itself. */
async function held() {
  const { sessionId, runId } = await place.begin(acme, 'supervisor', { request: 'hold' })
  await place.arrives(runId, 'waiting')
  await admin.query(
    `update runs set status = 'running', epoch = epoch + 1, heartbeat_at = now() + interval '1 hour' where id = $1`,
    [runId],
  )
  const { epoch } = await one('select epoch from runs where id = $1', runId)
  const tenant = TenantContext.openRun(place.worker, acme.tenantId, runId, epoch)
  return { parent: { sessionId, runId }, writer: () => tenant.forStarter('runs:write') }
}
const start = { agent: 'asker', input: { topic: 'year' } }

t.test('a call that is repeated starts nothing twice, at the same time or later', async (t) => {
  const { parent, writer } = await held()
  const ids = await Promise.all(Array.from({ length: 5 }, () => startChild(writer(), parent, '9.1', start)))
  ids.push(await startChild(writer(), parent, '9.1', start))
  t.equal(new Set(ids).size, 1)
  t.not(await startChild(writer(), parent, '9.2', start), ids[0])
  const { count } = await one('select count(*)::int from session_starts where run_id = $1', parent.runId)
  t.equal(count, 2)
  const entries = await admin.query(`select from audit_entries where actor = $1 and action = 'sessions.create'`, [
    `run:${parent.runId}`,
  ])
  t.equal(entries.rowCount, 2, 'each start has its audit entry')
})

t.test('an answer that is repeated is the same answer; another one is refused', async (t) => {
  const { parent, writer } = await held()
  const session = await startChild(writer(), parent, '9.1', start)
  const { id: message } = await until('its question', () =>
    one('select * from messages where session_id = $1', session),
  )
  for (let n = 0; n < 2; n += 1) await answerChild(writer(), parent, { session, message, text: 'a' }, new Date())
  const other = answerChild(writer(), parent, { session, message, text: 'b' }, new Date())
  await t.rejects(other, { code: 'already_answered' })
})

t.test('there is an end to what one person can have started', async (t) => {
  const { parent, writer } = await held()
  await startChild(writer(), parent, '9.0', start)
  await admin.query(
    `with made as (insert into sessions (tenant_id, agent_id, agent_version_id, title, input, created_by)
       select tenant_id, agent_id, agent_version_id, 'filler', '{}', 'test' from sessions, generate_series(1, 199) where id = $1
       returning tenant_id, id)
     insert into session_starts (tenant_id, session_id, run_id, call, root_id, depth)
     select tenant_id, id, $2, id::text, $1, 1 from made`,
    [parent.sessionId, parent.runId],
  )
  await t.rejects(startChild(writer(), parent, '9.1', start), { code: 'too_many_requests', message: /200 sessions/ })
})
