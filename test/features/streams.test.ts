import { randomUUID } from 'node:crypto'
import t from 'tap'
import { testApp } from '../support/app.ts'
import { addMember, seedTenant } from '../support/database.ts'
import { listenTo, sessionsOf } from '../support/stream.ts'
import { until } from '../support/until.ts'

const { app, doors, admin, issuer, tokenFor } = await testApp(t)
const acme = await seedTenant(doors, 'acme')
const beta = await seedTenant(doors, 'beta')
const address = await app.listen({ host: '127.0.0.1', port: 0 })
const { seedSession, append } = sessionsOf(admin)
const session = await seedSession(acme.tenantId)

const listen = (sessionId: string, token: string, headers: Record<string, string> = {}) =>
  listenTo(t, address, sessionId, token, headers)

t.test('replays from the beginning, then follows, without a gap', async (t) => {
  await append(session, 'test.one', 'test.two')
  const stream = await listen(session, await tokenFor(acme, 'operator'))
  await until('the replay', () => stream.frames.length >= 2)
  await append(session, 'test.three')
  await append(session, 'test.four', 'test.five')
  await until('the new ones', () => stream.frames.length >= 5)
  t.same(
    stream.frames.map((frame) => frame.id),
    [1, 2, 3, 4, 5],
  )
  t.same(
    stream.frames.map((frame) => frame.type),
    ['test.one', 'test.two', 'test.three', 'test.four', 'test.five'],
  )
})

t.test('resumes behind Last-Event-ID', async (t) => {
  const stream = await listen(session, await tokenFor(acme, 'operator'), { 'last-event-id': '3' })
  await until('the rest', () => stream.frames.length >= 2)
  t.same(
    stream.frames.map((frame) => frame.id),
    [4, 5],
  )
})

t.test('a thousand events arrive in order over pages', async (t) => {
  const long = await seedSession(acme.tenantId)
  await append(long, ...Array.from({ length: 1000 }, (_, n) => `test.${n}`))
  const stream = await listen(long, await tokenFor(acme, 'operator'))
  await until('all of them', () => stream.frames.length >= 1000)
  t.ok(stream.frames.every((frame, index) => frame.id === index + 1))
})

t.test('another organization gets the answer of a session that never existed', async (t) => {
  const token = await tokenFor(beta, 'operator')
  const foreign = await fetch(`${address}/v1/sessions/${session}/stream`, {
    headers: { authorization: `Bearer ${token}` },
  })
  const random = await fetch(`${address}/v1/sessions/${randomUUID()}/stream`, {
    headers: { authorization: `Bearer ${token}` },
  })
  t.equal(foreign.status, 404)
  const plain = async (answer: Response) => ({ ...((await answer.json()) as object), requestId: '' })
  t.same(await plain(foreign), await plain(random))
})

t.test('ends when the membership ends, and cannot be opened again', async (t) => {
  const userId = randomUUID()
  await addMember(doors, acme.tenantId, userId, ['operator'])
  const organizations = { acme: { id: acme.organizationId, roles: ['operator'] as const } }
  const token = await issuer.sign({ userId, organizations })
  const stream = await listen(session, token)
  await until('the replay', () => stream.frames.length >= 5)
  await addMember(doors, acme.tenantId, userId, [])
  await until('the end', () => stream.ended, 1000)
  await append(session, 'test.secret')
  t.equal((await listen(session, token)).status, 403)
})

t.test('ends with the token', async (t) => {
  const { operator: userId } = acme.members
  const organizations = { acme: { id: acme.organizationId, roles: ['operator'] as const } }
  const stream = await listen(session, await issuer.sign({ userId, organizations, expiresIn: 2 }))
  await until('the end', () => stream.ended, 4000)
  t.ok(stream.frames.length >= 5)
})

t.test('ends when the tenant is suspended', async (t) => {
  const stream = await listen(session, await tokenFor(acme, 'auditor'))
  await until('the replay', () => stream.frames.length >= 5)
  await doors.setTenantStatus(acme.organizationId, 'suspended', 'platform:test')
  await until('the end', () => stream.ended, 1000)
  t.ok(stream.ended)
  await doors.setTenantStatus(acme.organizationId, 'active', 'platform:test')
})

t.test('40 streams of two organizations: no foreign frame', async (t) => {
  const other = await seedSession(beta.tenantId)
  const streams = await Promise.all(
    Array.from({ length: 40 }, async (_, n) =>
      n % 2 ? listen(session, await tokenFor(acme, 'operator')) : listen(other, await tokenFor(beta, 'operator')),
    ),
  )
  for (let n = 0; n < 20; n += 1) {
    await admin.query(`select set_config('app.tenant_id', $1, false)`, [acme.tenantId])
    await append(session, 'test.more')
    await admin.query(`select set_config('app.tenant_id', $1, false)`, [beta.tenantId])
    await append(other, 'test.more')
  }
  await until('everything', () => streams.every((stream, n) => stream.frames.length >= (n % 2 ? 26 : 20)))
  t.ok(streams.every((stream, n) => !stream.text.includes(n % 2 ? other : session)))
  for (const { abort } of streams) abort.abort()
})
