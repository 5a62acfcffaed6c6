import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Statement } from '../../src/db/statement.ts'
import { assertClean, recordConnections } from '../support/connections.ts'
import { memberScope, seedTenant, testDatabase } from '../support/database.ts'

// One exclusive connection, so that whatever a transaction leaves behind is what the next one finds.
const opened = recordConnections(t)
const { admin, doors, database } = await testDatabase(t, { shared: 1, exclusive: 1 })
const [acme, beta] = [await seedTenant(doors, 'acme'), await seedTenant(doors, 'beta')]
const inAcme = memberScope(acme, 'builder', 'agents:write')
const inBeta = memberScope(beta, 'builder', 'agents:write')
const own = () => opened.findLast((client) => client.user === 'enginex_api')!

const insert = (name: string): Statement => ({ text: 'insert into app.agents (name) values ($1)', values: [name] })
const names: Statement = { name: 'names', text: 'select name from app.agents order by name' }
const failing: Statement = { text: 'select 1 / 0' }
const stored = async () => (await admin.query('select name from agents order by name')).rows.map((row) => row.name)

/** A test that begins without agents and ends with nothing left on the connection. */
function check(name: string, work: (t: Test) => Promise<void>): void {
  t.test(name, async (t) => {
    await admin.query('delete from agents')
    await work(t)
    await assertClean(t, own())
  })
}

check('what was done is seen inside, and by others after the commit', async (t) => {
  const seen = await database.transaction(inAcme, async (send) => {
    await send(insert('one'))
    t.same(await stored(), [], 'not committed yet')
    return (await send(names)).rows
  })
  t.same(seen, [{ name: 'one' }])
  t.same(await stored(), ['one'])
  t.same((await database.transaction(inBeta, (send) => send(names))).rows, [], 'the next tenant sees its own')
})

check('an error of the work undoes everything', async (t) => {
  const work = database.transaction(inAcme, async (send) => {
    await send(insert('one'))
    throw new Error('changed my mind')
  })
  await t.rejects(work, /changed my mind/)
  t.same(await stored(), [])
})

check('a swallowed failure of a statement undoes everything as well, and is told', async (t) => {
  const work = database.transaction(inAcme, async (send) => {
    await send(insert('one'))
    await send(failing).catch(() => undefined)
  })
  await t.rejects(work, /rolled back/)
  t.same(await stored(), [])
})

check('a refused entry is what the caller is told, and nothing runs', async (t) => {
  const refused = memberScope(acme, 'auditor', 'agents:write')
  t.same(await outcome(database.transaction(refused, (send) => send(insert('one')))), 'forbidden')
  const swallowed = database.transaction(refused, async (send) => {
    await send(insert('one')).catch(() => undefined)
  })
  t.same(await outcome(swallowed), 'forbidden')
  t.same(await outcome(database.transaction(refused, async () => 'nothing sent')), 'forbidden')
  t.same(await outcome(database.batch({ ...inAcme, userId: randomUUID() }, [insert('one')])), 'membership_required')
  t.same(await stored(), [])
})

async function outcome(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'done',
    (error) => error.code ?? error.message,
  )
}

check('a batch happens as a whole or not at all, in one round trip', async (t) => {
  const results = await database.batch(inAcme, [insert('one'), insert('two'), names])
  t.same(results[2]?.rows, [{ name: 'one' }, { name: 'two' }])
  t.same(await outcome(database.batch(inAcme, [insert('three'), failing, insert('four')])), '22012')
  t.same(await stored(), ['one', 'two'])
})

check('a commit smuggled in ends the scope, so that what follows is an error', async (t) => {
  const work = database.transaction(inAcme, async (send) => {
    await send({ text: 'commit' })
    return await send(names)
  })
  t.same(await outcome(work), 'TN000')
})

check('one text holds one statement', async (t) => {
  const two = { text: 'commit; select * from app.agents' }
  t.same(await outcome(database.transaction(inAcme, (send) => send(two))), '42601')
  t.same(await outcome(database.write(inAcme, two)), '42601')
  t.same(await outcome(database.door(two)), '42601')
})

check('the queries of a transaction cannot be used after its end', async (t) => {
  const send = await database.transaction(inAcme, async (send) => send)
  t.throws(() => send(names), /has ended/)
})

check('a session-wide setting reaches nobody: every statement and transaction is entered anew', async (t) => {
  const poison = { text: `select set_config('app.tenant_id', '${acme.tenantId}', false)` }
  await database.transaction(inAcme, (send) => Promise.all([send(insert('one')), send(poison)]))
  t.same((await database.transaction(inBeta, (send) => send(names))).rows, [])
  t.same((await database.write(inBeta, names)).rows, [])
  t.same(await outcome(database.write({ ...inBeta, userId: randomUUID() }, names)), 'membership_required')
  await own().query("select set_config('app.tenant_id', '', false)")
})

check('a connection that is not idle afterwards is destroyed', async (t) => {
  const before = own()
  await database.write(inAcme, { text: 'begin' })
  t.same((await database.write(inBeta, names)).rows, [])
  t.not(own(), before, 'a new connection serves the next')
  t.not(own().processID, before.processID)
})

check('a transaction whose connection is lost is undone and told as unavailable', async (t) => {
  const work = database.transaction(inAcme, async (send) => {
    await send(insert('one'))
    await admin.query('select pg_terminate_backend($1)', [own().processID])
    return await send(names)
  })
  t.same(await outcome(work), 'database_unavailable')
  t.same(await stored(), [])
  t.same((await database.write(inBeta, names)).rows, [])
})

check('200 transactions and batches of two tenants on one connection, every third failing', async (t) => {
  const one = async (index: number) => {
    const [scope, tenant] = index % 2 ? [inAcme, acme] : [inBeta, beta]
    return await database.transaction(scope, async (send) => {
      const { rows } = await send({
        text: 'insert into app.agents (name) values ($1) returning tenant_id',
        values: [`n${index}`],
      })
      if (index % 3 === 0) await send(failing)
      return rows[0]?.tenant_id === tenant.tenantId
    })
  }
  const outcomes = await Promise.all(Array.from({ length: 200 }, (_, index) => one(index).catch((error) => error.code)))
  t.equal(outcomes.filter((one) => one === '22012').length, 67)
  t.equal(outcomes.filter((one) => one === true).length, 133)
  t.equal((await stored()).length, 133)
})
