import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import pg from 'pg'
import t from 'tap'
import { testDatabase } from '../support/database.ts'
import { ownerPassword, urlOf } from '../support/services.ts'

// What was asked and answered before there were policies, quorums and answers of several people is not lost.
const { admin, adminUrl } = await testDatabase(t)
const name = `backfill_${randomUUID().replaceAll('-', '')}`
await admin.query(`create database ${name} owner enginex_owner`)
const open = async (url: string) => {
  const client = new pg.Client({ connectionString: url, options: '-c search_path=app' })
  await client.connect()
  return client
}
const owner = await open(urlOf(adminUrl, name, 'enginex_owner', ownerPassword))
const superuser = await open(urlOf(adminUrl, name))
t.teardown(async () => {
  await owner.end()
  await superuser.end()
  await admin.query(`drop database ${name} with (force)`)
})
const migrations = readdirSync('sql/migrations').sort()
const introduced = migrations.findIndex((one) => one.startsWith('0014'))
const apply = async (names: readonly string[]) => {
  for (const one of names) await owner.query(`begin;\n${readFileSync(`sql/migrations/${one}`, 'utf8')}\n;commit`)
}

await owner.query('set search_path = public')
await apply(migrations.slice(0, introduced))
const [tenant, agent, version, session, run, starter, decider] = Array.from({ length: 7 }, () => randomUUID())
const policy = '{"roles":["operator"],"notRequester":true}'
await superuser.query(`
  insert into directory (organization_id, tenant_id, region, alias, name) values ('${tenant}', '${tenant}', 'home', 'a', 'a');
  insert into tenants (tenant_id) values ('${tenant}');
  insert into agents (tenant_id, id, name, created_by) values ('${tenant}', '${agent}', 'a', 'x');
  insert into agent_versions (tenant_id, id, agent_id, version, digest, bytes, manifest, created_by)
    values ('${tenant}', '${version}', '${agent}', '1', 'd', 1, '{}', 'x');
  insert into sessions (tenant_id, id, agent_id, agent_version_id, title, input, created_by)
    values ('${tenant}', '${session}', '${agent}', '${version}', 't', '{}', 'x');
  insert into runs (tenant_id, id, session_id, created_by) values ('${tenant}', '${run}', '${session}', 'user:${starter}');
  insert into approvals (tenant_id, session_id, run_id, call, node_id, title, payload, payload_hash, policy, status, edited,
                         reason, decided_at, decided_by)
    values ('${tenant}', '${session}', '${run}', '1', 'n', 't', '{}', 'h', '${policy}', 'pending', null, null, null, null),
           ('${tenant}', '${session}', '${run}', '2', 'n', 't', '{}', 'h', null, 'edited', '5', 'why', now(), 'user:${decider}'),
           ('${tenant}', '${session}', '${run}', '3', 'n', 't', '{}', 'h', null, 'withdrawn', null, null, null, null)`)
await apply(migrations.slice(introduced))

t.test('open questions keep their rules, answered ones their answers', async (t) => {
  const { rows } = await superuser.query('select * from approvals order by call')
  const anybody = ['role:operator', 'role:tenant-admin']
  t.match(rows, [
    { deciders: ['role:operator'], quorum: 1, not_requester: true, requesters: [starter], decisive: null },
    { deciders: anybody, not_requester: false, requesters: [starter], decisive: [/./] },
    { deciders: anybody, decisive: null },
  ])
  const answers = (await superuser.query('select * from approval_decisions')).rows
  t.match(answers, [
    { id: rows[1].decisive[0], decision: 'edit', actor: `user:${decider}`, edited: 5, reason: 'why', stands_for: 'h' },
  ])
})

t.test('row level security binds everybody again', async (t) => {
  const text = `select relname from pg_class where relnamespace = 'app'::regnamespace and relrowsecurity and not relforcerowsecurity`
  t.same((await superuser.query(text)).rows, [])
})
