import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { Route } from '../../src/tenancy/route.ts'
import { testApp } from '../support/app.ts'
import { addMember, seedTenant } from '../support/database.ts'
import { nameOf } from './samples.ts'
import { seedWork, type Work } from './work.ts'

// What lists give away: to another organization nothing, whatever cursor, filter, header or cookie it sends.
const { app, routes, admin, doors, services, keycloak, tokenFor } = await testApp(t)
const acme = await seedTenant(doors, 'canary-acme')
const beta = await seedTenant(doors, 'beta')
for (const tenant of [acme, beta]) keycloak.know(tenant)
const works = await Promise.all(Array.from({ length: 25 }, () => seedWork(admin, services.files, acme)))
for (let index = 0; index < 25; index += 1) {
  await addMember(doors, acme.tenantId, randomUUID(), ['auditor'], `member-${index}@canary-acme.test`)
}
const own = await seedWork(admin, services.files, beta)
await admin.query(`insert into app.audit_entries (tenant_id, actor, action, details)
                   select tenant_id, 'test', 'test', jsonb_build_object('alias', alias) from app.directory`)
const owner = await tokenFor(acme, 'tenant-admin')
const stranger = await tokenFor(beta, 'tenant-admin')

async function get(path: string, token: string, headers: Record<string, string> = {}) {
  const answer = await app.inject({ url: `/v1${path}`, headers: { ...headers, authorization: `Bearer ${token}` } })
  return { status: answer.statusCode, text: answer.body, json: answer.json() }
}

const queryOf = (route: Route) => Object.keys((route.schema.query as { properties?: object })?.properties ?? {})
const lists = routes.filter(
  (route) => route.kind === 'tenant' && route.method === 'GET' && queryOf(route).includes('cursor'),
)
t.ok(lists.length >= 6, 'every list is paged')

for (const route of lists) {
  const path = (work: Work) =>
    route.path.replace(/:(\w+)/, (_, name) => (name === 'name' ? work.agent : work[name as 'sessionId']))
  const paged = !route.path.includes('/:') // one version each, one message each

  t.test(`${nameOf(route)}: each organization sees its own`, async (t) => {
    const mine = await get(path(works[0]!), owner)
    t.equal(mine.status, 200)
    t.match(mine.text, 'canary-acme', 'the owner sees it')
    const theirs = await get(path(own), stranger)
    t.equal(theirs.status, 200)
    t.ok(theirs.json.items.length > 0)
    t.notMatch(theirs.text, 'canary-acme', 'another organization does not')
  })

  if (paged) {
    t.test(`${nameOf(route)}: a cursor serves the organization that it was given to`, async (t) => {
      const first = await get(path(works[0]!), owner)
      const cursor: string = first.json.nextCursor
      t.ok(cursor, 'there is a second page')
      const second = await get(`${route.path}?cursor=${cursor}`, owner)
      t.equal(second.status, 200)
      const shown = (page: typeof first) => page.json.items.map((item: object) => JSON.stringify(item))
      t.same(
        shown(second).filter((item: string) => shown(first).includes(item)),
        [],
        'no row twice',
      )
      const foreign = await get(`${route.path}?cursor=${cursor}`, stranger)
      t.equal(`${foreign.status} ${foreign.json.code}`, '400 invalid_request')
      t.notMatch(foreign.text, 'canary-acme')
      const forged = await get(`${route.path}?cursor=${cursor.slice(0, -2)}AA`, owner)
      t.equal(forged.status, 400, 'nor can it be changed')
    })
  }

  t.test(`${nameOf(route)}: a filter with foreign ids finds what a filter with unknown ids finds`, async (t) => {
    const examples: Record<string, [string, string]> = {
      agent: [works[0]!.agent, 'never-there'],
      sessionId: [works[0]!.sessionId, randomUUID()],
      status: ['pending', 'withdrawn'],
      assignedTo: ['me', 'me'],
      kind: ['timer', 'timer'],
      endpointId: [works[0]!.endpointId, randomUUID()],
      limit: ['50', '50'],
    }
    for (const filter of queryOf(route).filter((name) => name !== 'cursor')) {
      const [foreign, unknown] = examples[filter] ?? t.bailout(`no example for the filter ${filter}`) ?? []
      const [a, b] = [
        await get(`${path(own)}?${filter}=${foreign}`, stranger),
        await get(`${path(own)}?${filter}=${unknown}`, stranger),
      ]
      if (filter !== 'status') t.equal(a.text, b.text, filter)
      t.notMatch(a.text, 'canary-acme', filter)
    }
  })

  t.test(`${nameOf(route)}: nothing in a request chooses the organization`, async (t) => {
    const plain = await get(path(own), stranger)
    const { tenantId, organizationId, alias } = acme
    const headers: Record<string, string>[] = [
      ...['x-tenant', 'x-tenant-id', 'x-organization', 'x-organization-id'].map((name) => ({ [name]: organizationId })),
      { 'x-tenant-id': tenantId, 'x-forwarded-host': `${alias}.example`, host: `${alias}.example` },
      { cookie: `tenant=${tenantId}; organization=${organizationId}; tenant_id=${tenantId}` },
    ]
    for (const extra of headers) {
      t.equal((await get(path(own), stranger, extra)).text, plain.text, JSON.stringify(Object.keys(extra)))
    }
    for (const name of ['tenant', 'tenantId', 'tenant_id', 'organization', 'organizationId']) {
      const answer = await get(`${path(own)}?${name}=${tenantId}`, stranger)
      t.equal(`${answer.status} ${answer.json.code}`, '400 invalid_request', `?${name}= is refused`)
    }
  })
}

t.test('a path that is written otherwise leads to the same decision, or nowhere', async (t) => {
  const foreign = works[0]!.sessionId
  const paths = [
    `/v1//sessions/${foreign}`,
    `//v1/sessions/${foreign}`,
    `/v1/sessions/${foreign}/`,
    `/v1/sessions/${foreign};x=1`,
    `/v1/sessions/%2e%2e/sessions/${foreign}`,
    `/v1/sessions/..%2fsessions%2f${foreign}`,
    `/v1/./sessions/${foreign}`,
    `/V1/sessions/${foreign}`,
    `/v1/sessions/${foreign.toUpperCase()}`,
    `/v1/sessions/${foreign}%00`,
    `/v1/sessions/${foreign}?`,
  ]
  for (const url of paths) {
    const without = await app.inject({ url })
    t.ok([400, 401, 404].includes(without.statusCode), `${without.statusCode} without a token: ${url}`)
    const answer = await app.inject({ url, headers: { authorization: `Bearer ${stranger}` } })
    t.ok([400, 404].includes(answer.statusCode), `${answer.statusCode} for a stranger: ${url}`)
    t.notMatch(answer.body, 'canary-acme')
  }
})
