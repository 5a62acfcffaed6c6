import t from 'tap'
import { fireWebhook } from '../../src/features/triggers/firing.ts'
import { createTrigger, deleteTrigger, rotateSecret, updateTrigger } from '../../src/features/triggers/service.ts'
import { createVault } from '../../src/providers/vault.ts'
import { TenantContext } from '../../src/tenancy/context.ts'
import { court } from '../support/court.ts'
import { seedTenant } from '../support/database.ts'
import { workplace } from '../support/work.ts'

// For whom a run works, however it came to be: these people do not decide what it asks, when the policy says so.
const place = await workplace(t)
const { admin, database, doors } = place
const acme = await seedTenant(doors, 'acme')
const { person, ask, answer, pendingOf } = court(place, acme)
await place.work(t)
const [ann, amy] = [await person('ann', ['tenant-admin']), await person('amy', ['tenant-admin'])]
const rule = { roles: ['tenant-admin'], notRequester: true }
const vault = createVault({ directory: place.keysDirectory })

const runOf = async (sessionId: string): Promise<string> =>
  (await admin.query('select id from app.runs where session_id = $1', [sessionId])).rows[0].id
const agentOf = async (sessionId: string): Promise<string> => {
  const text = 'select a.name from app.sessions s join app.agents a on a.id = s.agent_id where s.id = $1'
  return (await admin.query(text, [sessionId])).rows[0].name
}

t.test('a trigger works for its owner, even when it is gone before the question is answered', async (t) => {
  const { sessionId: first } = await ask(amy, rule)
  const owner = ann.may('triggers:write')
  const settings = { kind: 'webhook', name: 'hook', agent: await agentOf(first), payloadKey: 'number' } as const
  const { id } = await createTrigger(vault, owner, settings, new Date())
  const trigger = TenantContext.openTrigger(database, acme.tenantId, id)
  const { sessionId } = await fireWebhook(trigger, id, { id: 'message-1', payload: 21 })
  const runId = await runOf(sessionId)
  t.match(await place.arrives(runId, 'waiting'), { requested_by: ann.userId, created_by: `trigger:${id}` })
  await deleteTrigger(owner, id)
  const asked = { sessionId, runId, approvalId: await pendingOf(runId) }
  await t.rejects(answer(ann, asked, 'approve'), { code: 'forbidden', message: /started the run/ })
  t.match(await answer(amy, asked, 'approve'), { status: 'approved' })
})

t.test('whoever changes what a trigger sends, or knows its new secret, is whom it works for', async (t) => {
  const { sessionId: first } = await ask(amy, rule)
  const settings = { kind: 'webhook', name: 'taken over', agent: await agentOf(first), payloadKey: 'number' } as const
  const { id } = await createTrigger(vault, ann.may('triggers:write'), settings, new Date())
  const answered = async (message: string, by: typeof amy) => {
    const { sessionId } = await fireWebhook(TenantContext.openTrigger(database, acme.tenantId, id), id, {
      id: message,
      payload: 21,
    })
    const runId = await runOf(sessionId)
    await place.arrives(runId, 'waiting')
    return await answer(by, { sessionId, runId, approvalId: await pendingOf(runId) }, 'approve')
  }
  await updateTrigger(amy.may('triggers:write'), id, { name: 'renamed', maxConcurrent: 7 }, new Date())
  t.match(await answered('renamed', amy), { status: 'approved' }, 'a name changes nothing of what is asked')
  await rotateSecret(vault, amy.may('triggers:write'), id)
  await t.rejects(answered('new secret', amy), { code: 'forbidden', message: /started the run/ })
  t.match(await answered('by another', ann), { status: 'approved' })
  const { owner } = await updateTrigger(ann.may('triggers:write'), id, { input: { number: 3 } }, new Date())
  t.equal(owner, ann.userId)
  await t.rejects(answered('new input', ann), { code: 'forbidden', message: /started the run/ })
})

t.test('a run that another run started works for whoever is behind that one', async (t) => {
  const parent = await ask(ann, rule)
  // As a worker would hold it: a supervisor, in the middle of its work.
  await admin.query(`update app.runs set status = 'running', epoch = 7 where id = $1`, [parent.runId])
  const scope = { kind: 'run', tenantId: acme.tenantId, runId: parent.runId, epoch: 7 } as const
  const sessionId = await place.worker.transaction(scope, async (send) => {
    const session = await send({
      text: `insert into sessions (agent_id, agent_version_id, title, input)
             select agent_id, agent_version_id, 'child', input from sessions where id = $1 returning id`,
      values: [parent.sessionId],
    })
    const id = session.rows[0]!['id'] as string
    await send({ text: 'insert into runs (session_id) values ($1)', values: [id] })
    return id
  })
  const runId = await runOf(sessionId)
  t.match(await place.arrives(runId, 'waiting'), { requested_by: ann.userId, created_by: `run:${parent.runId}` })
  const asked = { sessionId, runId, approvalId: await pendingOf(runId) }
  await t.rejects(answer(ann, asked, 'approve'), { code: 'forbidden', message: /started the run/ })
  t.match(await answer(amy, asked, 'approve'), { status: 'approved' })
})

t.test('who is behind a run is what the database says', async (t) => {
  const { runId } = await ask(amy)
  const scope = { kind: 'member', tenantId: acme.tenantId, userId: ann.userId, permission: 'runs:write' } as const
  const forge = (text: string) => database.write({ ...scope, issuedAt: new Date().toISOString() }, { text })
  await t.rejects(forge(`update runs set requested_by = null where id = '${runId}'`), { code: '42501' })
  await t.rejects(forge(`update approvals set requesters = '{}', not_requester = false`), { code: '42501' })
  await t.rejects(forge(`update approvals set deciders = '{role:operator}', quorum = 1`), { code: '42501' })
})
