import { randomUUID } from 'node:crypto'
import pg from 'pg'
import t from 'tap'
import { entries, entryValues, type Scope } from '../../src/db/scope.ts'
import { ScopedQuery, type Statement } from '../../src/db/statement.ts'
import { assertClean, recordConnections } from '../support/connections.ts'
import { memberScope, seedTenant, testDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

// What a tenant's statement leaves behind on a connection that other tenants use. One shared connection, so that every
// request of this file goes behind every other.
const opened = recordConnections(t)
const { admin, doors, connect } = await testDatabase(t)
const database = await connect({ shared: 1, exclusive: 2, maxInFlight: 1e6, applicationName: 'one-shared' })
const shared = () => opened.findLast(isShared)!
const tenants = await Promise.all(Array.from({ length: 50 }, (_, index) => seedTenant(doors, `tenant-${index}`)))
const [acme, beta] = [tenants[0]!, tenants[1]!]
await admin.query(`insert into agents (tenant_id, name, created_by)
                   select tenant_id, 'agent-' || n, 'test' from tenants, generate_series(1, 3) n`)

const inAcme = memberScope(acme, 'builder', 'agents:read')
const inBeta = memberScope(beta, 'builder', 'agents:read')
const whose: Statement = { name: 'whose', text: 'select distinct tenant_id from app.agents' }
const unsendable = {
  toPostgres() {
    throw new Error('this value cannot be sent')
  },
}

function isShared(client: pg.Client): boolean {
  const { connectionParameters } = client as unknown as { connectionParameters: Record<string, string> }
  const { application_name: name, options } = connectionParameters
  return name === 'one-shared' && options!.includes('default_transaction_read_only=on')
}

t.test('success leaves nothing behind', async (t) => {
  t.same((await database.read(inAcme, whose)).rows, [{ tenant_id: acme.tenantId }])
  await assertClean(t, shared())
})

const failing: Record<string, Statement> = {
  'a runtime error': { text: 'select 1 / (length(name) - length(name)) from app.agents' },
  'a syntax error': { text: 'selec' },
  'a syntax error under a name': { name: 'bad', text: 'selec' },
  'a value of the wrong type': { text: 'select * from app.agents where id = $1::uuid', values: ['x'] },
  'a write, which these connections refuse': { text: "insert into app.agents (name) values ('x')" },
  'two statements in one text': { text: 'select 1; select 2' },
  'a value that cannot be sent': { text: 'select $1', values: [unsendable] },
  'an error after rows were sent': { text: 'select 1 / (3 - n) from generate_series(1, 5) n' },
}
for (const [what, statement] of Object.entries(failing)) {
  t.test(`${what} leaves nothing behind`, async (t) => {
    const outcomes = await Promise.allSettled([database.read(inAcme, statement), database.read(inBeta, whose)])
    t.equal(outcomes[0].status, 'rejected')
    t.match(outcomes[1], { status: 'fulfilled', value: { rows: [{ tenant_id: beta.tenantId }] } }, 'the next is served')
    await assertClean(t, shared())
  })
}

t.test('shared connections are read-only', async (t) => {
  await t.rejects(database.read(inAcme, failing['a write, which these connections refuse']!), { code: '25006' })
})

t.test('a session-wide setting reaches nobody: each statement is entered anew', async (t) => {
  await database.read(inAcme, { text: `select set_config('app.tenant_id', '${acme.tenantId}', false)` })
  t.same((await database.read(inBeta, whose)).rows, [{ tenant_id: beta.tenantId }])
  await t.rejects(database.read({ ...inBeta, userId: randomUUID() }, whose), { code: 'membership_required' })
  await shared().query("select set_config('app.tenant_id', '', false)")
  await assertClean(t, shared())
})

t.test('a commit as the statement ends the scope with it', async (t) => {
  await database.read(inAcme, { text: 'commit' }).catch(() => undefined)
  await assertClean(t, shared())
})

t.test('a tenant that is no uuid is refused and blocks nothing', async (t) => {
  await t.rejects(database.read({ ...inAcme, tenantId: "x' or 1" }, whose), { code: '22P02' })
  await assertClean(t, shared())
})

t.test('20,000 requests of 50 tenants at once on one connection, 1 in 5 failing or refused', async (t) => {
  const outcomes = { right: 0, refused: 0, foreign: 0, wrong: 0 }
  const one = async (index: number) => {
    const tenant = tenants[(index * 7919) % tenants.length]!
    const scope = memberScope(tenant, 'builder', 'agents:read')
    if (index % 5 === 0) return await expectRefusal(index, scope, outcomes)
    const statement = { name: 'look', text: "select tenant_id, current_setting('app.tenant_id') as s from app.agents" }
    const { rows } = await database.read(scope, statement)
    const own = rows.filter((row) => row.tenant_id === tenant.tenantId && row.s === tenant.tenantId)
    if (own.length < rows.length) outcomes.foreign += 1
    else if (rows.length === 3) outcomes.right += 1
    else outcomes.wrong += 1
  }
  await Promise.all(Array.from({ length: 20_000 }, (_, index) => one(index)))
  t.same(outcomes, { right: 16_000, refused: 4_000, foreign: 0, wrong: 0 })
  await assertClean(t, shared())
})

async function expectRefusal(index: number, scope: Scope & { kind: 'member' }, outcomes: Record<string, number>) {
  const [codes, given, statement] = [
    ['forbidden', { ...scope, permission: 'audit:read' }, whose],
    ['membership_required', { ...scope, userId: randomUUID() }, { name: 'look-too', text: 'select from app.agents' }],
    ['22012', scope, { text: 'select 1 / 0' }],
    // Those pipelined behind a failed Parse of the same name find no statement of that name.
    ['42601 26000', scope, { name: `bad-${index % 3}`, text: `selec${index % 3}` }],
  ][(index / 5) % 4] as [string, Scope, Statement]
  const failure = await database.read(given, statement).then(
    () => undefined,
    (error) => error.code,
  )
  outcomes[codes.includes(failure) ? 'refused' : 'wrong']! += 1
}

t.test('a value that cannot be sent is refused before the first byte', async (t) => {
  const statement = (value: unknown) => ({ name: 'echo', text: 'select $1::text as v', values: [value] })
  await database.read(inAcme, statement('a'))
  await t.rejects(database.read(inAcme, statement(unsendable)), /cannot be sent/)
  t.same((await database.read(inAcme, statement('b'))).rows, [{ v: 'b' }])
  await assertClean(t, shared())
})

/** The order that ScopedQuery avoids: the statement's Parse behind the entry. */
class ParsedBehindEntry extends ScopedQuery {
  override prepare(connection: Parameters<ScopedQuery['prepare']>[0]): void {
    const scope = this.scope as Scope
    connection.bind({
      portal: '',
      statement: entries[scope.kind].name,
      values: entryValues(scope),
      valueMapper: String,
    })
    connection.execute({ portal: '' })
    ;(pg.Query.prototype as unknown as ScopedQuery).prepare.call(this, connection)
  }
}

for (const [order, Query, harmed] of [
  ['Parse before the entry', ScopedQuery, 0],
  ['the other order, which is why', ParsedBehindEntry, 100],
] as const) {
  t.test(`100 requests behind a refused first use of a named statement: ${order}`, async (t) => {
    const statement = { name: `first-${Query.name}`, text: `select 42 as "${Query.name}"` }
    const send = (scope: Scope) =>
      new Promise((resolve, reject) => {
        const query = new Query(scope, statement, (error, rows) => (error ? reject(error) : resolve(rows)))
        shared().query(query as unknown as pg.Submittable)
      })
    const refused = send({ ...inAcme, permission: 'audit:read' })
    const outcomes = await Promise.allSettled([refused, ...Array.from({ length: 100 }, () => send(inAcme))])
    t.match(outcomes[0], { status: 'rejected', reason: { code: 'TN403' } })
    t.equal(outcomes.slice(1).filter((one) => one.status === 'rejected').length, harmed)
    await assertClean(t, shared())
  })
}

t.test('more than maxInFlight statements on a connection are refused, not queued without end', async (t) => {
  const small = await connect({ shared: 1, exclusive: 1, maxInFlight: 10 })
  const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => small.read(inAcme, whose)))
  const refused = outcomes.filter((one) => one.status === 'rejected')
  t.equal(refused.length, 20)
  t.match(refused[0], { reason: { code: 'overloaded' } })
})

t.test('a lock wait of one tenant does not hold up reads of others', async (t) => {
  await admin.query('begin; lock table app.agents in share row exclusive mode')
  const write = database.write(memberScope(acme, 'builder', 'agents:write'), {
    text: "insert into app.agents (name) values ('late')",
  })
  await until('the write waits', async () => {
    const { rows } = await admin.query(`select from pg_locks where not granted and relation = 'agents'::regclass`)
    return rows.length > 0
  })
  t.same((await database.read(inBeta, whose)).rows, [{ tenant_id: beta.tenantId }])
  await admin.query('rollback')
  t.equal((await write).rowCount, 1)
})

t.test('a backend killed with 500 requests in flight: all settle, then it is opened again', async (t) => {
  const [lost, count] = [shared(), opened.length]
  const slow = { text: 'select pg_sleep(3)' }
  const all = Array.from({ length: 500 }, (_, index) => database.read(inAcme, index === 100 ? slow : whose))
  const settled = Promise.allSettled(all)
  await until('the slow one runs', async () => {
    const { rows } = await admin.query(`select from pg_stat_activity where pid = $1 and query ~ 'sleep'`, [
      lost.processID,
    ])
    return rows.length > 0
  })
  await admin.query('select pg_terminate_backend($1)', [lost.processID])
  const outcomes = await settled
  t.equal(outcomes.filter((one) => one.status === 'fulfilled').length, 100)
  const reasons = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))
  t.same([...new Set(reasons)], ['database_unavailable'])
  await until('a new connection', () => opened.length > count)
  await until('reads work again', () =>
    database.read(inBeta, whose).then(
      () => true,
      () => false,
    ),
  )
  t.same((await database.read(inBeta, whose)).rows, [{ tenant_id: beta.tenantId }])
  await assertClean(t, shared())
})
