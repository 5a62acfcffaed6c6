import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { Role } from '../../src/tenancy/permissions.ts'
import { packageOf } from '../isolation/work.ts'
import { testApp } from '../support/app.ts'
import { addMember, seedTenant, type TestTenant } from '../support/database.ts'
import { form } from '../support/forms.ts'

// Triggers as their owners see them: what can be said of them, who may, and what is shown.
const { app, doors, admin, keycloak, issuer, tokenFor } = await testApp(t)
const acme = await seedTenant(doors, 'acme')
keycloak.know(acme)
await deploy('worker')

async function deploy(name: string): Promise<void> {
  const bytes = await packageOf(name, '1.0.0')
  const upload = form([{ name: 'package', content: bytes, fileName: 'package.tar.gz' }])
  const headers = { ...upload.headers, authorization: `Bearer ${await tokenFor(acme, 'builder')}` }
  const answer = await app.inject({ method: 'POST', url: `/v1/agents/${name}/versions`, headers, body: upload.body })
  if (answer.statusCode !== 201) throw new Error(answer.body)
}

type Call = { role?: Role; token?: string; headers?: Record<string, string> }

async function call(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body?: object,
  { role, token, headers }: Call = {},
) {
  const bearer = token ?? (await tokenFor(acme, role ?? 'builder'))
  const answer = await app.inject({
    method,
    url: `/v1${path}`,
    headers: { ...headers, authorization: `Bearer ${bearer}` },
    ...(body ? { payload: body } : {}),
  })
  const json = answer.json()
  return { status: answer.statusCode, code: `${answer.statusCode} ${json.code ?? ''}`.trim(), body: json }
}

const daily = { cron: '30 2 * * *', timeZone: 'Europe/Zurich' }
const add = (more: object = {}) =>
  call('POST', '/triggers', { kind: 'timer', name: randomUUID(), agent: 'worker', schedule: daily, ...more })

t.test('a timer shows when it fires next, and what it is', async (t) => {
  const { status, body } = await add({ name: 'every night', input: { payload: 1 }, jitterSeconds: 60 })
  t.equal(status, 201)
  t.match(body, {
    kind: 'timer',
    agent: 'worker',
    schedule: daily,
    misfire: 'fire_once',
    maxConcurrent: 1,
    enabled: true,
    disabledReason: null,
    owner: acme.members.builder,
    secret: null,
    hookPath: null,
    lastAt: null,
  })
  const { secret: _, ...shown } = body
  t.equal(body.upcoming.length, 5)
  t.equal(body.upcoming[0], body.nextAt)
  const times = body.upcoming.map((time: string) => Date.parse(time))
  t.same(times, [...times].sort(), 'in order')
  t.ok(times.every((time: number, index: number) => index === 0 || time - times[index - 1] > 22 * 3_600_000))
  t.same((await call('GET', `/triggers/${body.id}`)).body, shown, 'what was answered is what is there')
  t.match((await call('GET', '/triggers?kind=timer&agent=worker')).body.items, [{ id: body.id }])
  t.same((await call('GET', '/triggers?kind=webhook')).body.items, [])
})

t.test('what is no trigger is refused, with its place', async (t) => {
  const wrong: Record<string, [object, string]> = {
    'a timer without a schedule': [{ schedule: undefined }, 'schedule'],
    'a cron that never comes': [{ schedule: { ...daily, cron: '0 0 30 2 *' } }, 'schedule/cron'],
    'a cron of seconds': [{ schedule: { ...daily, cron: '* * * * * *' } }, 'schedule/cron'],
    'a zone that there is not': [{ schedule: { ...daily, timeZone: 'Nowhere/Place' } }, 'schedule/timeZone'],
    'a timer that takes a payload': [{ payloadKey: 'payload' }, 'payloadKey'],
    'an API trigger with a schedule': [{ kind: 'api' }, 'schedule'],
    'an input that the agent does not know': [{ input: { other: 1 } }, 'input/other'],
    'an entry point that there is not': [{ entryPoint: 'nowhere' }, 'entryPoint'],
    'a payload for an input that there is not': [
      { kind: 'webhook', schedule: undefined, payloadKey: 'other' },
      'payloadKey',
    ],
  }
  for (const [what, [more, path]] of Object.entries(wrong)) {
    t.match(await add(more), { code: '400 input_invalid', body: { faults: [{ path }] } }, what)
  }
  for (const more of [
    { schedule: { everyMinutes: 0 } },
    { schedule: { everyMinutes: 1.5 } },
    { schedule: { ...daily, everyMinutes: 5 } },
    { schedule: { cron: '0 0 * * *' } },
    { maxConcurrent: 0 },
    { jitterSeconds: 3601 },
    { misfire: 'later' },
    { kind: 'event' },
    { owner: acme.members.operator },
    { name: '' },
  ]) {
    t.equal((await add(more)).code, '400 invalid_request', JSON.stringify(more))
  }
  t.equal((await add({ agent: 'nobody' })).code, '404 not_found')
  const name = randomUUID()
  t.equal((await add({ name })).status, 201)
  t.equal((await add({ name })).code, '409 conflict', 'a name is taken once')
})

t.test('an organization has so many triggers and no more, however many are added at once', async (t) => {
  const full = await seedTenant(doors, 'full')
  await admin.query(`insert into app.agents (tenant_id, name, created_by) values ($1, 'a', 'test')`, [full.tenantId])
  await admin.query(
    `insert into app.triggers (tenant_id, name, kind, agent_id, max_concurrent, owner, created_by)
     select tenant_id, n::text, 'api', id, 1, $2, 'test' from app.agents, generate_series(1, 998) n where tenant_id = $1`,
    [full.tenantId, full.members.builder],
  )
  await admin.query(
    `with v as (insert into app.agent_versions (tenant_id, agent_id, version, digest, bytes, manifest, created_by)
       select $1, a.id, '1.0.0', v.digest, v.bytes, v.manifest, 'test' from app.agents a, app.agent_versions v
        where a.tenant_id = $1 and v.tenant_id = $2 returning id)
     update app.agents set active_version_id = (select id from v) where tenant_id = $1`,
    [full.tenantId, acme.tenantId],
  )
  const token = await tokenFor(full, 'builder')
  const asked = Array.from({ length: 6 }, () =>
    call('POST', '/triggers', { kind: 'api', name: randomUUID(), agent: 'a' }, { token }),
  )
  const codes = (await Promise.all(asked)).map(({ code }) => code).sort()
  t.same(codes, ['201', '201', '409 conflict', '409 conflict', '409 conflict', '409 conflict'])
})

t.test('a trigger is changed in part, and only its own kind of thing', async (t) => {
  const { body: before } = await add({ input: { payload: 1 } })
  const { body: after } = await call('PATCH', `/triggers/${before.id}`, {
    schedule: { everyMinutes: 5 },
    maxConcurrent: 3,
  })
  t.match(after, { schedule: { everyMinutes: 5 }, maxConcurrent: 3, input: { payload: 1 }, name: before.name })
  t.ok(Date.parse(after.nextAt) - Date.now() <= 300_000, 'begins anew')
  const { body: jittered } = await call('PATCH', `/triggers/${before.id}`, {
    jitterSeconds: 3600,
    runImmediately: true,
  })
  t.ok(Date.parse(jittered.nextAt) > Date.now(), 'a change fires nothing')
  const { body: exact } = await call('PATCH', `/triggers/${before.id}`, { jitterSeconds: 0 })
  t.ok(Date.parse(exact.nextAt) - Date.now() <= 300_000, 'no jitter any more')
  const renamed = await call('PATCH', `/triggers/${before.id}`, { name: 'another name' })
  t.equal(renamed.body.nextAt, exact.nextAt, 'a name changes no time')
  const { body: other } = await add()
  t.equal((await call('PATCH', `/triggers/${other.id}`, { name: 'another name' })).code, '409 conflict')
  t.equal((await call('PATCH', `/triggers/${other.id}`, { payloadKey: 'payload' })).code, '400 input_invalid')
  t.equal((await call('PATCH', `/triggers/${other.id}`, { kind: 'api' })).code, '400 invalid_request')
  const disabled = await call('POST', `/triggers/${other.id}/disable`)
  t.match(disabled.body, { enabled: false, disabledReason: 'by_request', nextAt: null, upcoming: [] })
  const changed = await call('PATCH', `/triggers/${other.id}`, { schedule: { everyMinutes: 5 } })
  t.match(changed.body, { enabled: false, nextAt: null }, 'a disabled one stays so')
  t.match((await call('POST', `/triggers/${other.id}/enable`)).body, { enabled: true, disabledReason: null })
  t.equal((await call('DELETE', `/triggers/${other.id}`)).body.id, other.id)
  t.equal((await call('GET', `/triggers/${other.id}`)).code, '404 not_found')
})

t.test('a person fires a trigger in their own name, once for each key', async (t) => {
  const { body: trigger } = await add({ maxConcurrent: 2, input: { payload: { a: 1 } } })
  const fire = (key?: string, more: Call = {}) =>
    call(
      'POST',
      `/triggers/${trigger.id}/fire`,
      { input: { payload: { b: 2 } } },
      {
        role: 'operator',
        ...more,
        ...(key ? { headers: { 'idempotency-key': key } } : {}),
      },
    )
  const first = await fire('key-1')
  t.match(first, { status: 201, body: { outcome: 'started', firedBy: `user:${acme.members.operator}` } })
  t.same((await fire('key-1')).body, first.body, 'the same key')
  const session = (await call('GET', `/sessions/${first.body.sessionId}`)).body
  t.match(session, { createdBy: `user:${acme.members.operator}`, input: { payload: { b: 2 } } })
  const other = await fire('key-1', { role: 'tenant-admin' })
  t.not(other.body.sessionId, first.body.sessionId, "another person's key is another key")
  t.equal((await fire()).code, '409 conflict', 'two of its runs are not finished')
  const { items } = (await call('GET', `/triggers/${trigger.id}/firings`)).body
  t.same(items, [other.body, first.body])
  t.equal((await fire('no spaces')).code, '400 invalid_request')
  await call('POST', `/triggers/${trigger.id}/disable`)
  t.equal((await fire('key-2')).code, '409 conflict', 'a disabled one fires for nobody')
  const audit = await admin.query(
    `select actor from app.audit_entries where action = 'triggers.fire' and resource = $1`,
    [`trigger:${trigger.id}`],
  )
  t.equal(audit.rowCount, 2)
})

t.test('the same key many times at once is one session', async (t) => {
  const { body: trigger } = await add({ maxConcurrent: 100 })
  const headers = { 'idempotency-key': randomUUID() }
  const sent = Array.from({ length: 10 }, () => call('POST', `/triggers/${trigger.id}/fire`, {}, { headers }))
  t.equal(new Set((await Promise.all(sent)).map(({ body }) => body.sessionId)).size, 1)
})

/** A further builder of the tenant, whose membership a test may end. */
async function newBuilder(tenant: TestTenant): Promise<{ userId: string; token: string }> {
  const userId = randomUUID()
  await addMember(doors, tenant.tenantId, userId, ['builder'])
  const organizations = { [tenant.alias]: { id: tenant.organizationId, roles: ['builder'] } } as const
  return { userId, token: await issuer.sign({ userId, organizations }) }
}

t.test('whose creator has left: it stands still, an admin adopts it, and it goes on', async (t) => {
  const { userId, token } = await newBuilder(acme)
  const body = { kind: 'timer', name: randomUUID(), agent: 'worker', schedule: { everyMinutes: 60 } }
  const { body: trigger } = await call('POST', '/triggers', body, { token })
  t.equal(trigger.owner, userId)
  await addMember(doors, acme.tenantId, userId, [])
  const shown = await call('GET', `/triggers/${trigger.id}`)
  t.match(shown.body, { enabled: false, disabledReason: 'owner_left', nextAt: null, owner: userId })
  t.equal((await call('POST', `/triggers/${trigger.id}/enable`)).code, '409 conflict', 'nobody enables it unseen')
  const adopted = await call('POST', `/triggers/${trigger.id}/adopt`, undefined, { role: 'tenant-admin' })
  t.match(adopted.body, { enabled: true, disabledReason: null, owner: acme.members['tenant-admin'] })
  t.ok(adopted.body.nextAt)
  t.equal(adopted.body.createdBy, `user:${userId}`, 'who made it stays known')
})

t.test("a trigger becomes nobody's but the asker's, whatever is written", async (t) => {
  const { body: trigger } = await add()
  const { tenantId, members } = acme
  await admin.query('begin')
  await admin.query(`select set_config('app.tenant_id', $1, true), set_config('app.actor', $2, true)`, [
    tenantId,
    `user:${members.operator}`,
  ])
  await admin.query('update app.triggers set owner = $1 where id = $2', [members['tenant-admin'], trigger.id])
  const { rows } = await admin.query('select owner from app.triggers where id = $1', [trigger.id])
  await admin.query('rollback')
  t.same(rows, [{ owner: members.operator }])
})
