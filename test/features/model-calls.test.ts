import t from 'tap'
import { putCredential } from '../../src/features/credentials/service.ts'
import { cancelSession } from '../../src/features/sessions/service.ts'
import { modelPlace } from '../support/model-place.ts'
import { begin, chunk, type ModelServer, refuse, serveModel } from '../support/model-server.ts'
import { tinyPackage } from '../support/tiny-package.ts'
import { until } from '../support/until.ts'

const { place, acme, beta, done, settle, work, usage } = await modelPlace(t)

t.test('each tenant is served by its own model, with its own key', async (t) => {
  const servers = await Promise.all([acme, beta].map(() => serveModel(t, done)))
  const [ofAcme, ofBeta] = servers as [ModelServer, ModelServer]
  const own = await serveModel(t, done)
  await settle(acme, 'fast', ofAcme)
  await settle(beta, 'default', ofBeta)
  await work(t, servers, {
    model: { baseUrl: own.baseUrl, name: 'small', apiKey: 'of the operator', allow: servers.map(({ host }) => host) },
  })
  const runs = await Promise.all([acme, beta].map((tenant) => place.begin(tenant, 'asking', { number: 2 })))
  for (const { runId } of runs) await place.arrives(runId, 'waiting')
  const bearers = (server: ModelServer) => server.asked.map(({ headers }) => headers.authorization)
  t.same(bearers(ofAcme), ['Bearer sk-sentinel-acme-fast'])
  t.same(bearers(ofBeta), ['Bearer sk-sentinel-beta-default'], 'an unknown purpose is served by default')
  t.equal(ofAcme.asked[0]!.headers['idempotency-key'], `${runs[0]!.runId}:1.1`)
  t.same(own.asked, [], 'the deployment serves neither')
  // Acme has nothing for this purpose and no default: the deployment serves, and never for beta's.
  const { runId } = await place.begin(acme, 'plain', { number: 2 })
  await place.arrives(runId, 'waiting')
  t.same(bearers(own), ['Bearer of the operator'])
  t.match(await usage(acme, runId), { items: [{ models: ['small'], cost: null, unpricedCalls: 1 }] })
  const kept = await Promise.all(
    [
      'runs',
      'run_memory',
      'checkpoints',
      'run_steps',
      'session_events',
      'model_calls',
      'audit_entries',
      'credentials',
    ].map(async (table) => (await place.admin.query(`select x::text from app.${table} x`)).rows),
  )
  t.notMatch(JSON.stringify(kept), /sentinel|of the operator/, 'no key is anywhere')
})

t.test('a busy server is asked again, a refusal is not', async (t) => {
  const busy = await serveModel(t, (asked, count) => {
    if (count <= 2) refuse(asked, [429, 503][count - 1]!, {}, { 'retry-after': '0' })
    else done(asked)
  })
  const refusing = await serveModel(t, (asked) =>
    refuse(asked, 401, { error: { message: 'no: sk-sentinel-acme-default' } }),
  )
  await settle(acme, 'default', busy, { inputPrice: '3', outputPrice: '15.50' })
  await work(t, [busy, refusing])
  const { runId } = await place.begin(acme, 'plain', { number: 2 })
  await place.arrives(runId, 'waiting')
  t.equal(new Set(busy.asked.map(({ headers }) => headers['idempotency-key'])).size, 1, 'one question, three times')
  const sums = { calls: 1, requests: 3, inputTokens: 7, outputTokens: 3, cost: '0.0000675', unpricedCalls: 0 }
  t.match(await usage(acme, runId), {
    items: [{ step: 1, attempt: 1, nodeId: 'double', models: ['model-default'], ...sums }],
    total: sums,
  })
  await settle(acme, 'default', refusing)
  const refused = await place.begin(acme, 'plain', { number: 2 })
  const { error } = await place.arrives(refused.runId, 'failed')
  t.match(error, { code: 'model_unauthorized', message: /refuses the key/ })
  t.equal(refusing.asked.length, 1)
  t.match(await place.rowsOf('model_calls', refused.runId), [
    { error_code: 'model_unauthorized', finish: null, requests: 1 },
  ])
})

t.test('a server that wants to be left alone for long is left alone', async (t) => {
  const server = await serveModel(t, (asked) => refuse(asked, 429, {}, { 'retry-after': '3600' }))
  await settle(acme, 'default', server)
  await work(t, [server])
  const { runId } = await place.begin(acme, 'plain', { number: 2 })
  t.match((await place.arrives(runId, 'failed'))['error'], { code: 'model_rate_limited' })
  t.equal(server.asked.length, 1)
})

t.test('fallbacks answer in their order; when none does, the first failure is told', async (t) => {
  const [broken, gone, spare] = await Promise.all([
    serveModel(t, (asked) => refuse(asked, 500)),
    serveModel(t, (asked) => refuse(asked, 404)),
    serveModel(t, done),
  ])
  await settle(acme, 'gone', gone)
  await settle(acme, 'spare', spare, { inputPrice: '1' })
  await settle(acme, 'default', broken, { fallbacks: ['gone', 'spare'] })
  const servers = [broken, gone, spare]
  await work(t, servers)
  const { runId } = await place.begin(acme, 'plain', { number: 2 })
  await place.arrives(runId, 'waiting')
  t.match(
    (await place.rowsOf('model_calls', runId)).sort((a, b) => Number(a['position']) - Number(b['position'])),
    [
      { position: 0, purpose: 'default', requests: 3, error_code: 'model_unavailable', finish: null },
      { position: 1, purpose: 'gone', requests: 1, error_code: 'model_unknown' },
      { position: 2, purpose: 'spare', requests: 1, error_code: null, finish: 'tool-calls' },
    ],
  )
  t.equal(spare.asked[0]!.headers['idempotency-key'], `${runId}:1.1:fallback-2`)
  t.equal(spare.asked[0]!.headers.authorization, 'Bearer sk-sentinel-acme-spare', 'with its own key')
  await settle(acme, 'default', broken, { fallbacks: ['gone'] })
  const failing = await place.begin(acme, 'plain', { number: 2 })
  t.match((await place.arrives(failing.runId, 'failed'))['error'], {
    code: 'model_unavailable',
    message: /its fallbacks: model_unknown/,
  })
})

t.test('without its credential, or for a host that it is not for, no model is asked', async (t) => {
  const server = await serveModel(t, done)
  await settle(acme, 'default', server)
  await work(t, [server])
  await place.admin.query(`update app.credentials set allowed_hosts = '{api.openai.com}' where name = 'key-default'`)
  const elsewhere = await place.begin(acme, 'plain', { number: 2 })
  t.match((await place.arrives(elsewhere.runId, 'failed'))['error'], {
    code: 'egress_refused',
    message: /may not be sent to/,
  })
  await place.admin.query(`delete from app.credentials where name = 'key-default'`)
  const without = await place.begin(acme, 'plain', { number: 2 })
  t.match((await place.arrives(without.runId, 'failed'))['error'], { code: 'credential_missing' })
  t.same(server.asked, [])
})

t.test('a cancelled run hangs up on its model', async (t) => {
  const server = await serveModel(t, ({ response }) => {
    begin(response)
    chunk(response, { content: 'I begin' })
  })
  await settle(acme, 'default', server)
  await work(t, [server])
  const { runId, sessionId } = await place.begin(acme, 'plain', { number: 2 })
  const asked = await until('the model is asked', () => server.asked[0])
  const began = performance.now()
  await cancelSession(place.as(acme, 'operator', 'runs:write'), sessionId, new Date())
  await asked.closed
  t.comment(`hung up after ${Math.round(performance.now() - began)} ms`)
  await place.arrives(runId, 'cancelled')
  t.same(await place.rowsOf('model_calls', runId), [])
})

t.test('a missing credential that the package needs stops a session before it begins', async (t) => {
  const contents = tinyPackage({ name: 'needing' })
  const manifest = JSON.parse(String(contents.get('agent.json')))
  const requiredCredentials = ['crm', 'mail'].map((name) => ({ name, type: 'api_key' }))
  contents.set('agent.json', Buffer.from(JSON.stringify({ ...manifest, requiredCredentials })))
  await place.deploy(acme, 'needing', contents)
  const put = { type: 'api_key' as const, keys: { key: 'x' }, allowedHosts: [] }
  await putCredential(place.vault, place.as(acme, 'tenant-admin', 'credentials:write'), 'crm', put)
  await putCredential(place.vault, place.as(beta, 'tenant-admin', 'credentials:write'), 'mail', put)
  const count = async () => (await place.admin.query('select count(*) from app.sessions')).rows[0].count
  const before = await count()
  await t.rejects(place.begin(acme, 'needing', { number: 1 }), {
    code: 'credentials_required',
    faults: [{ path: 'credentials/mail' }],
  })
  t.equal(await count(), before)
  await putCredential(place.vault, place.as(acme, 'tenant-admin', 'credentials:write'), 'mail', put)
  t.ok(await place.begin(acme, 'needing', { number: 1 }))
})
