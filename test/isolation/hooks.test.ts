import { randomBytes, randomUUID } from 'node:crypto'
import { request } from 'node:http'
import t, { type Test } from 'tap'
import { createWebhookSecret } from '../../src/providers/webhooks.ts'
import { addMember } from '../support/database.ts'
import { hookOfNobody, hookTests, messageBody, type Sent } from '../support/hooks.ts'
import { until } from '../support/until.ts'
import { nameOf, sampleOf } from './samples.ts'
import { seedWork } from './work.ts'

// The one kind of route without a token, attacked: whatever is wrong gets the answer of a webhook that never existed.
const testing = await hookTests(t)
const { app, routes, admin, doors, services, tokenFor, acme, beta, newTenant, newHook, send, counts } = testing

/** The answer of an id that never was anybody's, to a message that its sender signed well. */
const never = (await send(hookOfNobody())).whole

async function assertUnknown(t: Test, what: string, sending: () => ReturnType<typeof send>): Promise<void> {
  const before = await counts()
  const answer = await sending()
  t.equal(answer.whole, never, what)
  t.same(await counts(), before, `${what}: nothing happened`)
}

t.test('routes without a token are these, and no token makes them do anything', async (t) => {
  const hooks = routes.filter(({ kind }) => kind === 'hook')
  t.same(hooks.map(nameOf), ['POST /hooks/:triggerId'])
  for (const route of hooks) t.ok(sampleOf(route))
  const hook = await newHook(acme)
  for (const role of ['tenant-admin', 'auditor'] as const) {
    const headers = { authorization: `Bearer ${await tokenFor(acme, role)}` }
    await assertUnknown(t, role, () => send(hook, { secrets: [createWebhookSecret()], headers }))
  }
})

t.test('what is not signed as it is sent is not known', async (t) => {
  const hook = await newHook(acme)
  const foreign = await newHook(beta)
  const sibling = await newHook(acme)
  const old = new Date(Date.now() - 301_000)
  const attacks: Record<string, Sent> = {
    'the secret of another organization': { secrets: [foreign.secret] },
    'the secret of another webhook of the same organization': { secrets: [sibling.secret] },
    'a secret of nobody': { secrets: [createWebhookSecret()] },
    'another body': { sent: messageBody.replace('12.50', '99.99') },
    'the same JSON in other bytes': { sent: `${messageBody} ` },
    'no body': { sent: '' },
    'a message of five minutes ago': { at: old },
    'a message of the future': { at: new Date(Date.now() + 600_000) },
    'an old message under a new time': {
      at: old,
      headers: { 'webhook-timestamp': String(Math.floor(Date.now() / 1000)) },
    },
    'a message under another id': { headers: { 'webhook-id': 'msg_other' } },
    'no id': { headers: { 'webhook-id': '' } },
    'no signature': { headers: { 'webhook-signature': '' } },
    'a signature of another kind': { headers: { 'webhook-signature': `v1a,${randomBytes(64).toString('base64')}` } },
    'many signatures': { headers: { 'webhook-signature': Array.from({ length: 99 }, () => 'v1,AAAA').join(' ') } },
  }
  for (const [what, change] of Object.entries(attacks)) await assertUnknown(t, what, () => send(hook, change))
  t.equal((await send(hook)).status, 202, 'and the right one is known')
})

t.test('a webhook that may not fire is not known, to the right sender either', async (t) => {
  const [gamma, leaving] = [await newTenant('gamma'), await newTenant('leaving')]
  const [suspended, left] = [await newHook(gamma), await newHook(leaving)]
  await doors.setTenantStatus(gamma.organizationId, 'suspended', 'platform:test')
  await assertUnknown(t, 'of a suspended organization', () => send(suspended))
  await doors.setTenantStatus(gamma.organizationId, 'active', 'platform:test')
  t.equal((await send(suspended)).status, 202, 'until it is active again')
  await addMember(doors, leaving.tenantId, leaving.members.builder, [])
  await assertUnknown(t, 'whose owner has left', () => send(left))
  const disabled = await newHook(acme)
  const headers = { authorization: `Bearer ${await tokenFor(acme, 'builder')}` }
  await app.inject({ method: 'POST', url: `/v1/triggers/${disabled.id}/disable`, headers })
  await assertUnknown(t, 'that is disabled', () => send(disabled))
  await app.inject({ method: 'DELETE', url: `/v1/triggers/${disabled.id}`, headers })
  await assertUnknown(t, 'that was deleted', () => send(disabled))
})

t.test('a trigger of another kind takes no messages', async (t) => {
  const { agent } = await seedWork(admin, services.files, acme)
  const answer = await app.inject({
    method: 'POST',
    url: '/v1/triggers',
    headers: { authorization: `Bearer ${await tokenFor(acme, 'builder')}` },
    payload: { kind: 'api', name: randomUUID(), agent },
  })
  const id = answer.json().id
  await assertUnknown(t, 'api', () => send({ id, agent, secret: createWebhookSecret() }))
})

t.test('rights that ended where no membership changed end at the next message', async (t) => {
  const delta = await newTenant('delta')
  const hook = await newHook(delta)
  await admin.query('alter table app.memberships disable trigger changed')
  await addMember(doors, delta.tenantId, delta.members.builder, ['auditor'])
  await admin.query('alter table app.memberships enable trigger changed')
  t.equal((await send(hook)).whole, never)
  const { rows } = await admin.query('select disabled_reason from app.triggers where id = $1', [hook.id])
  t.same(rows, [{ disabled_reason: 'owner_left' }])
})

t.test('what is too big, or no JSON, is refused the same way wherever it is sent', async (t) => {
  const hook = await newHook(acme)
  const nobody = hookOfNobody()
  const huge = JSON.stringify({ text: 'x'.repeat(300 * 1024) })
  for (const change of [
    { signed: huge },
    { headers: { 'content-type': 'text/plain' } },
    { headers: { 'content-type': 'multipart/form-data; boundary=x' } },
  ]) {
    const before = await counts()
    const [known, unknown] = [await send(hook, change), await send(nobody, change)]
    t.ok([413, 415].includes(known.status), String(known.status))
    t.equal(known.whole, unknown.whole)
    t.same(await counts(), before)
  }
})

t.test('secrets lie sealed, are shown once, and are bound to their webhook', async (t) => {
  const [hook, other] = [await newHook(acme), await newHook(acme)]
  const { rows } = await admin.query('select t::text as row from app.triggers t where id = $1', [hook.id])
  const key = Buffer.from(hook.secret.slice(6), 'base64')
  t.notMatch(rows[0].row, hook.secret)
  t.notOk(rows[0].row.includes(key.toString('hex')), 'not in the row')
  for (const url of [`/v1/triggers/${hook.id}`, '/v1/triggers', '/v1/audit']) {
    const headers = { authorization: `Bearer ${await tokenFor(acme, 'tenant-admin')}` }
    t.notMatch((await app.inject({ url, headers })).body, /whsec_/, `not in ${url}`)
  }
  await admin.query('update app.triggers set secret = (select secret from app.triggers where id = $2) where id = $1', [
    other.id,
    hook.id,
  ])
  await assertUnknown(t, 'a secret that was copied to another row', () => send(other, { secrets: [hook.secret] }))
})

t.test('messages that were refused are counted for the organization', async (t) => {
  const hook = await newHook(acme)
  await send(hook, { secrets: [createWebhookSecret()] })
  const actor = `trigger:${hook.id}`
  const found = await until('the denial is written', async () => {
    const text = `select * from app.denials where actor = $1 and code = 'signature_invalid'`
    return (await admin.query(text, [actor])).rows[0]
  })
  t.equal(found.tenant_id, acme.tenantId)
})

t.test('who begins many messages and ends none takes no place of others', async (t) => {
  const [held, free] = [await newHook(acme), await newHook(beta)]
  const address = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  const refused: (number | undefined)[] = []
  const begin = () => {
    const path = `/v1/hooks/${held.id}`
    const headers = { 'content-type': 'application/json', 'content-length': '100', 'webhook-signature': 'v1,AAAA' }
    const sending = request({ host: '127.0.0.1', port: address.port, method: 'POST', path, headers })
    sending.on('error', () => undefined).on('response', ({ statusCode }) => refused.push(statusCode))
    sending.write('{')
    return sending
  }
  const begun = Array.from({ length: 12 }, begin)
  t.teardown(() => begun.map((one) => one.destroy()))
  const asked = async () => (await send(held, { secrets: [free.secret] })).status
  await until('no more are let in', () => refused.length === 4)
  t.same(refused, [429, 429, 429, 429])
  t.equal(await asked(), 429)
  t.equal((await send(free)).status, 202, 'another webhook is')
  for (const one of begun) one.destroy()
  await until('they are again', async () => (await asked()) === 404)
  t.equal((await send(held)).status, 202)
})
