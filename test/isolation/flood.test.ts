import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import pg from 'pg'
import t from 'tap'
import { createSandbox } from '../../src/providers/sandbox.ts'
import { testApp } from '../support/app.ts'
import { seedTenant } from '../support/database.ts'
import { until } from '../support/until.ts'
import { seedWork } from './work.ts'

// One organization may be as busy as it likes: the others go on, and it is told to wait.
const { app, admin, adminUrl, doors, services, keycloak, issuer, notifications, tokenFor } = await testApp(t)
const [acme, beta] = [await seedTenant(doors, 'acme'), await seedTenant(doors, 'beta')]
for (const tenant of [acme, beta]) keycloak.know(tenant)
const [work, flooded] = [await seedWork(admin, services.files, acme), await seedWork(admin, services.files, beta)]
const [ours, theirs] = [await tokenFor(acme, 'operator'), await tokenFor(beta, 'operator')]
const address = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))

async function call(token: string, url: string, method: 'GET' | 'POST' = 'GET') {
  const answer = await app.inject({ method, url, headers: { authorization: `Bearer ${token}` } })
  return { status: answer.statusCode, code: answer.json().code, retryAfter: answer.headers['retry-after'] }
}

t.test('55 statements that wait for a lock hold up their own organization only', async (t) => {
  const holder = new pg.Client(adminUrl)
  await holder.connect()
  t.teardown(() => holder.end())
  await holder.query('begin')
  await holder.query('select from app.runs where id = $1 for update', [flooded.runId])
  const pauses = Array.from({ length: 60 }, () => call(theirs, `/v1/sessions/${flooded.sessionId}/pause`, 'POST'))
  await until('they wait for the lock', async () => {
    const waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return (await admin.query(waiting)).rowCount
  })
  const started = performance.now()
  t.equal((await call(ours, `/v1/sessions/${work.sessionId}/pause`, 'POST')).status, 200)
  t.ok(performance.now() - started < 2000, 'a write of another organization is done meanwhile')
  await holder.query('rollback')
  t.ok(
    (await Promise.all(pauses)).every(({ status }) => status === 200),
    'they were only late',
  )
})

t.test('55 more requests at once than a fair share are told to come back', async (t) => {
  const many = Array.from({ length: 600 }, () => call(theirs, '/v1/sessions'))
  const own = await call(ours, '/v1/sessions')
  t.equal(own.status, 200)
  const answers = await Promise.all(many)
  const refused = answers.filter(({ status }) => status !== 200)
  t.ok(refused.length > 0 && refused.length < 600, `${refused.length} of 600`)
  for (const one of refused) t.match(one, { status: 429, code: 'too_many_requests', retryAfter: '1' })
  t.equal((await call(theirs, '/v1/sessions')).status, 200, 'and are served when they do')
})

/** Sends a request and leaves the connection open. Resolves with the status line. */
async function open(text: string): Promise<{ socket: Socket; status: string }> {
  const socket = connect(Number(address.port), address.hostname)
  t.teardown(() => socket.destroy())
  socket.write(text)
  const [answer] = await once(socket, 'data')
  return { socket, status: String(answer).split('\r\n')[0] ?? '' }
}

t.test('55 streams of one organization do not use up the process', async (t) => {
  const stream = (token: string, session: string) =>
    open(`GET /v1/sessions/${session}/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`)
  const many = await Promise.all(Array.from({ length: 250 }, () => stream(theirs, flooded.sessionId)))
  const refused = many.filter(({ status }) => status.includes(' 429 '))
  t.ok(refused.length > 0 && refused.length < 250, `${refused.length} of 250`)
  t.match((await stream(ours, work.sessionId)).status, / 200 /, 'another organization is served')
  for (const { socket } of many) socket.destroy()
  await until('places are free again', async () => (await stream(theirs, flooded.sessionId)).status.includes(' 200 '))
})

t.test('55 asking for the health of the process, which anybody may, asks the others once in a while', async (t) => {
  let asked = 0
  const { healthy } = keycloak
  keycloak.healthy = () => {
    asked += 1
    return healthy()
  }
  const answers = await Promise.all(Array.from({ length: 300 }, () => app.inject('/readyz')))
  keycloak.healthy = healthy
  t.ok(answers.every(({ statusCode }) => statusCode === 200))
  t.ok(asked <= 5, `Keycloak and the database were asked ${asked} times`)
})

t.test('42 tools that never end hold up their own organization only', async (t) => {
  const sandbox = createSandbox({ threads: 2 })
  t.teardown(() => sandbox.close())
  const call = (holder: string, source: string) =>
    sandbox.run({
      holder,
      files: { 'tools/a.js': `export default () => { ${source} }` },
      entry: 'tools/a.js',
      input: null,
      limits: { timeoutMs: 1000, memoryMb: 64, outputBytes: 1000 },
    })
  const ended: string[] = []
  const hostile = Array.from({ length: 4 }, async (_, index) => {
    t.match(await call('beta', 'for (;;);'), { ok: false, error: { code: 'tool_timeout' } })
    ended.push(`beta ${index}`)
  })
  t.match(await call('acme', 'return 1'), { ok: true, output: 1 })
  t.same(ended, [], 'nobody waited for them')
  await Promise.all(hostile)
  t.same(ended.length, 4, 'and each of them has had its turn')
})

/** Many first requests of a new member of beta who leaves while Keycloak is asked; `before` it answers, all are gone. */
async function leaveEarly(path: string, count: number): Promise<void> {
  const userId = randomUUID()
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>()
  const { membership } = keycloak
  keycloak.membership = async (organizationId) => {
    await answered
    return await membership(organizationId, beta.members.operator)
  }
  const organizations = { beta: { id: beta.organizationId, roles: ['operator'] as const } }
  const token = await issuer.sign({ userId, organizations })
  const text = `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`
  let arrived = 0
  const arriving = () => {
    arrived += 1
  }
  app.server.on('request', arriving)
  const sockets = Array.from({ length: count }, () => connect(Number(address.port), address.hostname))
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  for (const socket of sockets) socket.write(text)
  await until('they are there', () => arrived === count)
  app.server.off('request', arriving)
  const open = () => new Promise<number>((resolve) => app.server.getConnections((_, there) => resolve(there)))
  const before = await open()
  for (const socket of sockets) socket.resetAndDestroy()
  await until('they are gone', async () => (await open()) <= before - count)
  answer()
  await until('the first of them is let in', async () => {
    return (await admin.query('select from app.memberships where user_id = $1', [userId])).rowCount
  })
  keycloak.membership = membership
}

t.test('55 whoever leaves before they were let in leaves no place taken', async (t) => {
  await leaveEarly('/v1/sessions', 140)
  for (let again = 0; again < 3; again += 1) t.equal((await call(theirs, '/v1/sessions')).status, 200)
})

t.test('55 a stream whose reader left before it began ends at once', async (t) => {
  let [begun, open] = [0, 0]
  const on = notifications.on.bind(notifications)
  t.teardown(() => Object.assign(notifications, { on }))
  notifications.on = (tenantId, topic, heard) => {
    const off = on(tenantId, topic, heard)
    if (!topic.startsWith('session:')) return off
    begun += 1
    open += 1
    return () => {
      open -= 1
      off()
    }
  }
  await leaveEarly(`/v1/sessions/${flooded.sessionId}/stream`, 5)
  await until('all have begun and ended', () => begun === 5 && open === 0)
  t.equal(open, 0)
})
