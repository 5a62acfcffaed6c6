import t from 'tap'
import { testApp } from '../support/app.ts'
import { seedTenant } from '../support/database.ts'
import { until } from '../support/until.ts'
import { seedWork } from './work.ts'

// Input that is meant to break something: it is refused with a reason, nothing is kept, and the next request is served.
const { app, admin, doors, services, keycloak, tokenFor } = await testApp(t)
const acme = await seedTenant(doors, 'acme')
keycloak.know(acme)
const work = await seedWork(admin, services.files, acme)
const token = await tokenFor(acme, 'operator')

async function post(payload: string | Buffer, type = 'application/json', url = '/v1/sessions') {
  const headers = { 'content-type': type, authorization: `Bearer ${token}` }
  const answer = await app.inject({ method: 'POST', url, headers, payload })
  return `${answer.statusCode} ${answer.json().code}`
}

const session = (input: string) => `{"agent":"${work.agent}","input":${input}}`
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
const countSessions = async () => (await admin.query('select count(*)::int n from app.sessions')).rows[0].n

const hostile: Record<string, [string | Buffer, string]> = {
  'no JSON': ['{', '400 invalid_request'],
  nothing: ['', '400 invalid_request'],
  'not an object': ['[]', '400 invalid_request'],
  null: ['null', '400 invalid_request'],
  'a body of 10 MB': [session(`{"a":"${'x'.repeat(10 * 1024 * 1024)}"}`), '413 payload_too_large'],
  'a thousand levels': [session(`{"a":${nested(1000)}}`), '400 invalid_request'],
  'a hundred thousand levels': [session(`{"a":${nested(100_000)}}`), '400 invalid_request'],
  'a NUL character': [session('{"a":"\\u0000"}'), '400 invalid_request'],
  'a NUL character in a key': [session('{"\\u0000":1}'), '400 invalid_request'],
  'half a surrogate pair': [session('{"a":"\\ud800"}'), '400 invalid_request'],
  'bytes that are no UTF-8': [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), '400 invalid_request'],
  __proto__: [session('{"__proto__":{"admin":true}}'), '400 invalid_request'],
  'constructor.prototype': [session('{"constructor":{"prototype":{"admin":true}}}'), '400 invalid_request'],
  '__proto__ further down': [session('{"a":[{"__proto__":{"admin":true}}]}'), '400 invalid_request'],
  'a number for a name': ['{"agent":1}', '400 invalid_request'],
  'a name that is a path': ['{"agent":"../../etc/passwd"}', '400 invalid_request'],
  'a name of a million characters': [`{"agent":"${'a'.repeat(900_000)}"}`, '400 invalid_request'],
}

for (const [what, [payload, code]] of Object.entries(hostile)) {
  t.test(what, async (t) => {
    const before = await countSessions()
    t.equal(await post(payload), code)
    t.equal(await countSessions(), before, 'nothing was kept')
    t.equal((Object.prototype as { admin?: boolean }).admin, undefined, 'no prototype was changed')
    t.equal(await post(session('{}')), '201 undefined', 'the next request is served')
  })
}

t.test('hostile addresses', async (t) => {
  const addresses = [
    `/v1/sessions?cursor=${'x'.repeat(5000)}`,
    '/v1/sessions?cursor=%00',
    '/v1/sessions?limit=1e9',
    '/v1/sessions?limit=20&limit=50',
    '/v1/sessions?agent[$ne]=x',
    '/v1/sessions/%00',
    '/v1/sessions/%',
    `/v1/sessions/${work.sessionId}/events?after=1e30`,
    `/v1/sessions/${work.sessionId}/events?after=9223372036854775808`,
    `/v1/sessions/${work.sessionId}/stream?after=1e400`,
    "/v1/sessions/1'%20or%20'1'%3d'1",
    `/v1/agents/${'a'.repeat(3000)}`,
    '/v1/agents/%E0%80%AF',
  ]
  for (const url of addresses) {
    const answer = await app.inject({ url, headers: { authorization: `Bearer ${token}` } })
    t.ok([400, 404, 414].includes(answer.statusCode), `${answer.statusCode} ${url.slice(0, 60)}`)
    t.match(answer.headers['content-type'], 'application/problem+json', 'as a problem document')
  }
})

t.test('a flood of refused requests costs one row a minute', async (t) => {
  const auditor = await tokenFor(acme, 'auditor')
  const headers = { authorization: `Bearer ${auditor}`, 'content-type': 'application/json' }
  const payload = session('{}')
  const answers = await Promise.all(
    Array.from({ length: 1000 }, () => app.inject({ method: 'POST', url: '/v1/sessions', headers, payload })),
  )
  t.ok(answers.every((answer) => answer.statusCode === 403))
  const rows = await until('all of them are counted', async () => {
    const found = await admin.query("select count from app.denials where code = 'forbidden'")
    return found.rows.reduce((sum, row) => sum + row.count, 0) === 1000 ? found.rows : undefined
  })
  t.ok(rows.length <= 2, 'one row, or two when the minute ended meanwhile')
})
