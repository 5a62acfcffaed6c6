import t from 'tap'
import {
  createEndpoint,
  deleteEndpoint,
  getEndpoint,
  patchEndpoint,
  renewSecret,
} from '../../src/features/notifications/service.ts'
import { createWebhookSender } from '../../src/providers/webhook-sender.ts'
import { court } from '../support/court.ts'
import { memberScope, seedTenant } from '../support/database.ts'
import { outboxOf } from '../support/outbox.ts'
import { workplace } from '../support/work.ts'

// Webhooks: what is told, to whom, and that nobody else can tell it.
const place = await workplace(t)
const { admin, database, doors } = place
const acme = await seedTenant(doors, 'acme')
const beta = await seedTenant(doors, 'beta')
const { person, ask, answer } = court(place, acme)
const [olga, starter] = [await person('olga'), await person('stan', ['builder'])]
await place.work(t)
const outbox = await outboxOf(t, place, [acme, beta])
const { at, boss, create, deliveriesOf, outside, receiver, settled, tell, tried, verify, work } = outbox

t.test('what happens is told once, signed, with ids and a link and nothing else', async (t) => {
  const all = await create('/all', ['approval.requested', 'approval.decided', 'run.completed'], acme)
  const decided = await create('/decided', ['approval.decided'], acme)
  const foreign = await create('/foreign', ['approval.requested', 'approval.decided', 'run.completed'], beta)
  work(t)
  work(t)
  const asked = await ask(starter)
  await answer(olga, asked, 'approve')
  await place.arrives(asked.runId, 'completed')
  await settled(all, 3)
  const told = at('/all').map((one) => verify(all, one))
  t.same(told.map(({ type }) => type).sort(), ['approval.decided', 'approval.requested', 'run.completed'])
  const { sessionId, runId, approvalId } = asked
  const requested = told.find(({ type }) => type === 'approval.requested')!
  t.same(requested.data, {
    ...{ organization: 'acme', sessionId, runId, approvalId, nodeId: 'review', title: 'Is this right?' },
    agent: requested.data['agent'],
    url: `https://enginex.test/o/acme/approvals/${approvalId}`,
  })
  const completed = told.find(({ type }) => type === 'run.completed')!
  t.match(completed.data, { url: `https://enginex.test/o/acme/sessions/${sessionId}`, outcome: 'completed' })
  t.equal(new Set(at('/all').map(({ headers }) => headers['webhook-id'])).size, 3)
  await settled(decided, 1)
  t.equal(at('/decided').length, 1)
  t.throws(() => verify(decided, at('/all')[0]!), 'each endpoint has a secret of its own')
  t.same(await deliveriesOf(foreign), [], 'another organization hears nothing')
})

t.test('the outbox holds what happened, and nothing that was taken back', async (t) => {
  const endpoint = await create('/atomic', ['run.failed'], acme)
  const { sessionId, runId } = outbox.sessionOf(acme)
  const values = [sessionId, runId, '[{"type":"execution_failed","nodeId":null,"data":{}}]']
  const failing = database.transaction(memberScope(acme, 'operator', 'runs:write'), async (send) => {
    await send({ text: 'select app.append_events($1::uuid, $2::uuid, $3::jsonb)', values })
    throw new Error('and then it failed')
  })
  await t.rejects(failing)
  t.same(await deliveriesOf(endpoint), [])
  await tell(acme)
  t.equal((await deliveriesOf(endpoint)).length, 1)
  await deleteEndpoint(boss(acme), endpoint.id)
  t.same(await deliveriesOf(endpoint), [])
})

t.test('an endpoint that is being deleted holds up no run', async (t) => {
  const endpoint = await create('/deleted', ['run.failed'], acme)
  await admin.query('begin')
  await admin.query('delete from app.notification_endpoints where id = $1', [endpoint.id])
  await tell(acme)
  await admin.query('commit')
  t.same(await deliveriesOf(endpoint), [])
})

t.test('addresses that are none of ours are refused when they are saved, and at the connection', async (t) => {
  const inside = 'https://127.0.0.1/'
  const urls = [
    ...['http://example.com/', inside, 'https://169.254.169.254/latest', 'https://[::1]/', 'ftp://a.test', 'nothing'],
    ...['https://user:word@example.com/', 'https://8.8.8.8/#part', `http://localhost:${receiver.place.split(':')[1]}/`],
  ]
  for (const url of urls) {
    const made = createEndpoint(outside, boss(acme), { url, events: ['run.failed'] })
    await t.rejects(made, { code: /input_invalid|egress_refused/ }, url)
  }
  const endpoint = await create('/inside', ['run.failed'], acme)
  await t.rejects(patchEndpoint(outside, boss(acme), endpoint.id, { url: inside }), { code: 'egress_refused' })
  await tell(acme)
  work(t, { webhooks: createWebhookSender({ allow: [] }) })
  t.match(await tried(endpoint, 1), { error: /egress_refused/, status: 'pending' })
  t.equal(at('/inside').length, 0)
  await deleteEndpoint(boss(acme), endpoint.id)
})

t.test('a secret is shown once, sealed, and ends when a new one is made', async (t) => {
  const endpoint = await create('/secret', ['run.failed'], acme)
  t.match(endpoint.secret, /^whsec_/)
  t.notMatch(JSON.stringify(await getEndpoint(boss(acme), endpoint.id)), 'whsec_')
  const { rows } = await admin.query('select secret from app.notification_endpoints where id = $1', [endpoint.id])
  t.notMatch(rows[0].secret.toString('latin1'), endpoint.secret.slice(6))
  const renewed = await renewSecret(outside, boss(acme), endpoint.id)
  await tell(acme)
  work(t)
  await settled(endpoint, 1)
  const [message] = at('/secret')
  const told = verify(renewed, message!)
  t.match(told, { type: 'run.failed', data: { code: 'model_refused' } })
  t.notMatch(JSON.stringify(told), 'it said no', 'codes, never texts')
  t.throws(() => verify(endpoint, message!))
  await deleteEndpoint(boss(acme), endpoint.id)
})

t.test('a secret of another organization, put here by whatever means, signs nothing', async (t) => {
  const own = await create('/own', ['run.failed'], acme)
  const other = await create('/theirs', ['run.failed'], beta)
  await admin.query(
    `update app.notification_endpoints e set secret = o.secret, secret_id = o.secret_id
       from app.notification_endpoints o where e.id = $1 and o.id = $2`,
    [own.id, other.id],
  )
  await tell(acme)
  work(t)
  t.match(await tried(own, 1), { status: 'pending', error: /secret_unreadable/ })
  t.equal(at('/own').length, 0)
  for (const [tenant, { id }] of [
    [acme, own],
    [beta, other],
  ] as const)
    await deleteEndpoint(boss(tenant), id)
})

t.test('an organization has at most twenty enabled endpoints', async (t) => {
  const enabled = 'select from app.notification_endpoints where tenant_id = $1 and enabled'
  const before = (await admin.query(enabled, [acme.tenantId])).rowCount!
  const more = Array.from({ length: 25 }, () => create('/many', ['run.failed'], acme))
  const made = (await Promise.allSettled(more)).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  t.equal(made.length, 20 - before, 'also when all of them ask at once')
  const [one] = made
  await t.rejects(create('/many', ['run.failed'], acme), { code: 'conflict' })
  await patchEndpoint(outside, boss(acme), one!.id, { enabled: false })
  await create('/many', ['run.failed'], acme)
  await t.rejects(patchEndpoint(outside, boss(acme), one!.id, { enabled: true }), { code: 'conflict' })
})
