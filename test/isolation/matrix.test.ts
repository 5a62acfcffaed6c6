import { randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { grants, roles } from '../../src/tenancy/permissions.ts'
import type { Route } from '../../src/tenancy/route.ts'
import { testApp } from '../support/app.ts'
import { seedTenant, type TestTenant } from '../support/database.ts'
import type { TokenClaims } from '../support/tokens.ts'
import { until } from '../support/until.ts'
import { nameOf, namesOwned, neverExisted, requestOf, sampleOf } from './samples.ts'
import { seedWork, type Work } from './work.ts'

// Every route value x everybody who might come. What a route must be given stands in samples.ts.
const testing = await testApp(t)
const { app, routes, admin, doors, services, issuer, keycloak, tokenFor } = testing
const canary = 'canary-acme'
const acme = await seedTenant(doors, canary)
const beta = await seedTenant(doors, 'beta')
for (const tenant of [acme, beta]) keycloak.know(tenant)
const acmeWork = await newWork(acme)
await newWork(beta)

function newWork(tenant: TestTenant): Promise<Work> {
  return seedWork(admin, services.files, tenant)
}

const tokens = {
  stranger: await tokenFor(beta, 'tenant-admin'),
  platform: await issuer.sign({ platformAdmin: true }),
}

interface Answer {
  readonly status: number
  readonly headers: object
  readonly text: string
}

/** Sends the example; a stream that is let in is left again after its head. */
async function call(route: Route, work: Work, token?: string, change: object = {}): Promise<Answer> {
  const request = { ...(await requestOf(route, work, acme.organizationId)), ...change }
  const headers = { ...request.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) }
  const streamed = route.answers === 'stream'
  const answer = await app.inject({ ...request, headers, payloadAsStream: streamed })
  const { statusCode: status } = answer
  if (streamed && status === 200) answer.stream().destroy()
  const body = streamed ? (status === 200 ? '' : await text(answer.stream())) : answer.body
  return { status, headers: answer.headers, text: body }
}

function codeOf({ status, text }: Answer): string {
  return status < 400 ? String(status) : `${status} ${JSON.parse(text).code}`
}

/** Every row of a tenant, as one digest; what is refused must not change it. Refusals themselves are counted apart. */
async function stateOf({ tenantId }: TestTenant): Promise<string> {
  const { rows } = await admin.query(`select relname from pg_class join pg_attribute on attrelid = pg_class.oid
    where relnamespace = 'app'::regnamespace and relkind = 'r' and attname = 'tenant_id' and relname <> 'denials' order by 1`)
  const digests = rows.map(
    ({ relname }) =>
      `(select md5(string_agg(x::text, '' order by x::text)) from app.${relname} x where tenant_id = $1)`,
  )
  return JSON.stringify((await admin.query({ text: `select ${digests}`, values: [tenantId], rowMode: 'array' })).rows)
}

const inAcme = { id: acme.organizationId, roles: ['tenant-admin'] } as const
const uninvited: Record<string, [TokenClaims, string]> = {
  'a token of two organizations': [
    {
      userId: beta.members.builder,
      organizations: { beta: { id: beta.organizationId, roles: ['builder'] }, [canary]: inAcme },
    },
    '400 organization_ambiguous',
  ],
  'a token of none': [{ userId: acme.members.builder }, '403 organization_required'],
  'an empty claim': [{ userId: acme.members.builder, organizations: {} }, '403 organization_required'],
  'an organization without its id': [
    { userId: acme.members.builder, organizations: { [canary]: { roles: ['builder'] } } },
    '403 organization_required',
  ],
  'an alias that was given away': [
    { userId: acme.members.builder, organizations: { [canary]: { id: randomUUID(), roles: ['builder'] } } },
    '403 organization_unknown',
  ],
  'a token for somebody who is no member': [{ organizations: { [canary]: inAcme } }, '403 membership_required'],
  "another organization's member": [
    { userId: beta.members['tenant-admin'], organizations: { [canary]: inAcme } },
    '403 membership_required',
  ],
  'a platform admin': [{ platformAdmin: true }, '403 organization_required'],
  'a platform admin who claims a role': [
    { platformAdmin: true, organizations: { [canary]: inAcme } },
    '403 membership_required',
  ],
}

// Routes without a token are attacked in hooks.test.ts.
for (const route of routes.filter(({ kind }) => kind !== 'hook')) {
  t.test(nameOf(route), async (t) => {
    t.ok(sampleOf(route), 'has an example in test/isolation/samples.ts')
    t.equal(codeOf(await call(route, acmeWork, undefined)), '401 token_missing', 'no token')
    t.equal(codeOf(await call(route, acmeWork, 'not.a.token')), '401 token_invalid', 'no such token')
    const head = await call(route, acmeWork, undefined, { method: 'HEAD' })
    t.ok(head.status >= 400, 'HEAD needs a token as well')
    if (route.kind === 'tenant') await checkTenantRoute(t, route)
    if (route.kind === 'platform') await checkPlatformRoute(t, route)
    if (route.kind === 'me') await checkMeRoute(t, route)
    if (route.method !== 'GET') await checkBody(t, route)
  })
}

async function checkTenantRoute(t: Test, route: Extract<Route, { kind: 'tenant' }>): Promise<void> {
  const before = await stateOf(acme)
  for (const [who, [claims, code]] of Object.entries(uninvited)) {
    t.equal(codeOf(await call(route, acmeWork, await issuer.sign(claims))), code, who)
  }
  t.equal(await stateOf(acme), before, 'nothing of it changed anything')
  await checkStranger(t, route)
  for (const role of roles) {
    const allowed = grants([role], route.permission)
    const work = await readyWork(route)
    const state = allowed ? undefined : await stateOf(acme)
    const answer = await call(route, work, await tokenFor(acme, role))
    t.equal(codeOf(answer), allowed ? String(route.status) : '403 forbidden', `${role} ${allowed ? 'may' : 'may not'}`)
    if (!allowed) t.equal(await stateOf(acme), state, `${role} changed nothing`)
  }
  await checkBothHands(t, route)
  await checkOtherMethods(t, route)
}

/** New work, in the state that the route asks for. */
async function readyWork(route: Route): Promise<Work> {
  if (route.method === 'GET') return acmeWork
  const work = await newWork(acme)
  const { before } = sampleOf(route)!
  if (before) await admin.query(before, [work.runId])
  return work
}

/** Beta's admin with acme's ids: the very answer of ids that never existed, and nothing changed anywhere. */
async function checkStranger(t: Test, route: Route): Promise<void> {
  const work = await newWork(acme)
  const before = [await stateOf(acme), await stateOf(beta)]
  const foreign = await call(route, work, tokens.stranger)
  t.notMatch(foreign.text.replaceAll(work.agent, ''), canary, 'nothing of acme is shown')
  if (sampleOf(route)?.makes) {
    t.equal(foreign.status, route.status, 'equal names in two organizations are independent')
  } else if (namesOwned(route)) {
    const never = await call(route, neverExisted(work), tokens.stranger)
    t.equal(codeOf(foreign), '404 not_found', 'a foreign id is not found')
    t.same(comparable(foreign), comparable(never), 'byte for byte the answer of an id that never existed')
    t.equal(await stateOf(beta), before[1], 'nothing was started')
  }
  t.equal(await stateOf(acme), before[0], 'acme is unchanged')
}

function comparable({ status, headers, text }: Answer): unknown {
  const { requestId, ...body } = JSON.parse(text)
  return {
    status,
    headers: JSON.stringify({ ...headers, date: '' }).replace(requestId, ''),
    body: JSON.stringify(body),
  }
}

/** A permission needs the token's roles and the row's: neither alone is enough. */
async function checkBothHands(t: Test, route: Extract<Route, { kind: 'tenant' }>): Promise<void> {
  const withoutIt = roles.find((role) => !grants([role], route.permission))
  if (!withoutIt) return
  const userId = acme.members[withoutIt]
  const raised = await issuer.sign({ userId, organizations: { [canary]: inAcme } })
  t.equal(codeOf(await call(route, acmeWork, raised)), '403 forbidden', 'a token that says more than the row')
  const lowered = { id: acme.organizationId, roles: [withoutIt] } as const
  const claims = { userId: acme.members['tenant-admin'], organizations: { [canary]: lowered } }
  t.equal(
    codeOf(await call(route, acmeWork, await issuer.sign(claims))),
    '403 forbidden',
    'a row that says more than the token',
  )
}

async function checkOtherMethods(t: Test, route: Route): Promise<void> {
  const mounted = new Set(routes.filter(({ path }) => path === route.path).map(({ method }) => method))
  for (const method of (['POST', 'PUT', 'PATCH', 'DELETE'] as const).filter((one) => !mounted.has(one))) {
    const answer = await call(route, acmeWork, tokens.stranger, { method, payload: undefined })
    t.equal(codeOf(answer), '404 not_found', `${method} does not exist`)
  }
}

async function checkPlatformRoute(t: Test, route: Route): Promise<void> {
  const before = await stateOf(acme)
  for (const role of roles)
    t.equal(codeOf(await call(route, acmeWork, await tokenFor(acme, role))), '403 forbidden', role)
  t.equal(await stateOf(acme), before)
  const answer = await call(route, acmeWork, tokens.platform)
  t.equal(answer.status, route.status, 'a platform admin may')
  t.notMatch(
    answer.text,
    /(session|question|report|line) of canary|@canary-acme/,
    'and sees nothing of what a tenant holds',
  )
  await doors.setTenantStatus(acme.organizationId, 'active', 'platform:test')
}

async function checkMeRoute(t: Test, route: Route): Promise<void> {
  const answer = await call(route, acmeWork, await issuer.sign({ userId: beta.members.auditor }))
  t.equal(answer.status, route.status, 'anybody may')
  t.notMatch(answer.text, canary, 'and sees nothing of others')
}

/** What a body may not say, and in which forms it may not come. */
async function checkBody(t: Test, route: Route): Promise<void> {
  const token = route.kind === 'platform' ? tokens.platform : await tokenFor(acme, 'tenant-admin')
  const work = route.kind === 'tenant' ? await readyWork(route) : acmeWork
  const before = await stateOf(acme)
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/xml']) {
    const payload = type === 'text/plain' ? JSON.stringify(sampleOf(route)?.body?.(work) ?? {}) : 'a=b'
    const answer = await call(route, work, token, { payload, headers: { 'content-type': type } })
    t.equal(codeOf(answer), '415 unsupported_media_type', type)
  }
  if (sampleOf(route)?.form) return
  for (const field of [
    'id',
    'tenantId',
    'tenant_id',
    'organizationId',
    'createdBy',
    'status',
    '__proto__',
    'constructor',
  ]) {
    const text = JSON.stringify({ ...sampleOf(route)?.body?.(work), added: acme.tenantId }).replace(
      '"added"',
      `"${field}"`,
    )
    const headers = { 'content-type': 'application/json' }
    const answer = await call(route, work, token, { payload: text, headers })
    t.equal(codeOf(answer), '400 invalid_request', `${field} is not the caller's to say`)
  }
  t.equal(await stateOf(acme), before, 'nothing of it changed anything')
}

t.test('refusals are recorded where they happened', async (t) => {
  const recorded = (tenant: TestTenant, code: string) =>
    until(`${code} in ${tenant.alias}`, async () => {
      const where = 'tenant_id = $1 and code = $2 and count > 0'
      const found = await admin.query(`select from app.denials where ${where}`, [tenant.tenantId, code])
      return found.rowCount
    })
  t.ok(await recorded(beta, 'not_found'), "a stranger's questions, with the stranger")
  t.ok(await recorded(acme, 'forbidden'), 'refused roles')
})
