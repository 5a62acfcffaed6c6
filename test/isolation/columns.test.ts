import t from 'tap'
import { memberScope, seedTenant, testDatabase } from '../support/database.ts'

// What only the database may say: who did something, when, and to whom a row belongs. Not even a query of the
// application's own, sent in the name of somebody who may write, says otherwise.
const { admin, database, doors } = await testDatabase(t)
const acme = await seedTenant(doors, 'acme')
const boss = `user:${acme.members['tenant-admin']}`

const as = (text: string) => database.write(memberScope(acme, 'operator', 'runs:write'), { text })
const [agent] = (await as(`insert into agents (name) values ('honest') returning id`)).rows

const lies: Record<string, string> = {
  '7 the author of an agent': `insert into agents (name, created_by) values ('forged', '${boss}')`,
  '7 the tenant of an agent': `insert into agents (name, tenant_id) values ('forged', '${acme.tenantId}')`,
  '7 the time of an agent': `insert into agents (name, created_at) values ('forged', now() - interval '1 year')`,
  '32 who started a run': `update runs set created_by = '${boss}'`,
  '32 who started a new run': `insert into runs (session_id, created_by) values (uuidv7(), '${boss}')`,
  '33 what was asked': `update approvals set payload = '{}', payload_hash = ''`,
  '33 who may answer': 'update approvals set policy = null',
  'who did it': `insert into audit_entries (actor, action) values ('${boss}', 'agents.deploy')`,
  'when it was done': `insert into audit_entries (action, occurred_at) values ('agents.deploy', 'epoch')`,
  'the input of a session': `update sessions set input = '{}'`,
  'the name of an agent': `update agents set name = 'other'`,
}

for (const [what, text] of Object.entries(lies)) {
  t.test(what, async (t) => {
    await t.rejects(as(text), { code: '42501' })
  })
}

t.test('what the database fills in is true', async (t) => {
  await as(`insert into audit_entries (action, resource) values ('agents.deploy', 'agent:${agent!.id}')`)
  const { rows } = await admin.query(
    `select actor from audit_entries where action = 'agents.deploy' union all select created_by from agents`,
  )
  const operator = `user:${acme.members.operator}`
  t.same(rows, [{ actor: operator }, { actor: operator }])
})
