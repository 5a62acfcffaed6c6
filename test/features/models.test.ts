import t from 'tap'
import type { Role } from '../../src/tenancy/permissions.ts'
import { testApp } from '../support/app.ts'
import { seedTenant, type TestTenant } from '../support/database.ts'
import { refuse, say, serveModel } from '../support/model-server.ts'

const server = await serveModel(t, (asked) =>
  asked.headers.authorization === 'Bearer sk-sentinel-right' ? say(asked, 'ready') : refuse(asked, 401),
)
const { app, admin, doors, keycloak, tokenFor } = await testApp(t, { allow: [server.host] })
const [acme, beta] = [await seedTenant(doors, 'acme'), await seedTenant(doors, 'beta')]
for (const tenant of [acme, beta]) keycloak.know(tenant)

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE'
async function call(tenant: TestTenant, method: Method, path: string, payload?: object, role: Role = 'tenant-admin') {
  const headers = { authorization: `Bearer ${await tokenFor(tenant, role)}` }
  const answer = await app.inject({ method, url: `/v1${path}`, headers, ...(payload ? { payload } : {}) })
  return { status: answer.statusCode, json: answer.json(), text: answer.body }
}

async function credential(tenant: TestTenant, name: string, key: string, allowedHosts = [server.host]) {
  await call(tenant, 'PUT', `/credentials/${name}`, { type: 'api_key', keys: { key }, allowedHosts })
}

const compatible = { provider: 'openai_compatible', model: 'tiny', baseUrl: server.baseUrl }
await credential(acme, 'right', 'sk-sentinel-right')
await credential(acme, 'wrong', 'sk-sentinel-wrong')
await credential(acme, 'elsewhere', 'sk-sentinel-right', ['api.openai.com'])
await credential(beta, 'of-beta', 'sk-sentinel-right')

t.test('settings are stored with what was left out, listed, replaced and deleted', async (t) => {
  t.match(await call(acme, 'GET', '/models'), { status: 200, json: { items: [], deployment: { model: 'small' } } })
  const put = await call(
    acme,
    'PUT',
    '/models/default',
    { ...compatible, inputPrice: '2.50', outputPrice: '10' },
    'builder',
  )
  t.match(put, {
    status: 200,
    json: {
      purpose: 'default',
      baseUrl: server.baseUrl,
      credential: null,
      temperature: null,
      maxTokens: 4096,
      timeoutMs: 120_000,
      inputPrice: '2.5',
      outputPrice: '10',
      fallbacks: [],
      createdBy: `user:${acme.members.builder}`,
    },
  })
  const second = { ...compatible, temperature: 0.7, credential: { name: 'right', key: 'key' }, fallbacks: ['default'] }
  t.match(await call(acme, 'PUT', '/models/fast', second), { json: { temperature: 0.7, fallbacks: ['default'] } })
  const { json } = await call(acme, 'GET', '/models')
  t.same(
    json.items.map((item: { purpose: string }) => item.purpose),
    ['default', 'fast'],
  )
  t.match(await call(acme, 'PUT', '/models/fast', compatible), {
    json: { temperature: null, credential: null, fallbacks: [] },
  })
  t.match(await call(acme, 'DELETE', '/models/fast'), { status: 200, json: { purpose: 'fast' } })
  t.equal((await call(acme, 'GET', '/models/fast')).status, 404)
  t.equal((await call(beta, 'GET', '/models/default')).status, 404)
  const audit = (await call(acme, 'GET', '/audit')).json.items.map(({ action }: { action: string }) => action)
  t.match(audit.slice(0, 3), ['models.delete', 'models.update', 'models.update'])
})

t.test('settings that cannot work are refused, and each reason is told', async (t) => {
  const wrong: [string, object, RegExp | string][] = [
    ['no address', { provider: 'openai_compatible', model: 'm' }, /baseUrl.*is missing/],
    ['no key', { provider: 'openai', model: 'm' }, /openai needs a key/],
    ['no credential', { ...compatible, credential: { name: 'never', key: 'key' } }, /no such credential/],
    ["another's credential", { ...compatible, credential: { name: 'of-beta', key: 'key' } }, /no such credential/],
    ['no such key', { ...compatible, credential: { name: 'right', key: 'token' } }, /no such key/],
    [
      'a credential for another host',
      { ...compatible, credential: { name: 'elsewhere', key: 'key' } },
      /may not be sent to/,
    ],
    ['itself as its fallback', { ...compatible, fallbacks: ['x'] }, /not another purpose/],
    ['no fallback', { ...compatible, fallbacks: ['never'] }, /not another purpose/],
    ['an address with a password', { ...compatible, baseUrl: 'http://a:b@models.example' }, 'invalid_request'],
    ['another protocol', { ...compatible, baseUrl: 'file:///etc/passwd' }, 'invalid_request'],
    ['a query', { ...compatible, baseUrl: 'https://models.example/v1?key=x' }, 'invalid_request'],
    ['no address at all', { ...compatible, baseUrl: 'http://[::' }, /is no address/],
    ['a price of letters', { ...compatible, inputPrice: '1e9' }, 'invalid_request'],
    ['a negative price', { ...compatible, inputPrice: '-1' }, 'invalid_request'],
    ['a key in place of its name', { ...compatible, apiKey: 'sk-sentinel' }, 'invalid_request'],
  ]
  for (const [what, body, reason] of wrong) {
    const answer = await call(acme, 'PUT', '/models/x', body)
    t.equal(answer.status, 400, what)
    t.match(answer.text, reason, what)
  }
  for (const baseUrl of [
    'http://127.0.0.1:1/v1',
    'http://169.254.169.254/latest',
    'http://[::1]:80/v1',
    'http://10.0.0.8',
  ]) {
    t.match(await call(acme, 'PUT', '/models/x', { ...compatible, baseUrl }), {
      status: 403,
      json: { code: 'egress_refused' },
    })
  }
  t.equal((await call(acme, 'GET', '/models/x')).status, 404)
})

t.test('a test asks the model, and tells what came of it', async (t) => {
  const asked = server.asked.length
  for (const name of ['right', 'wrong']) {
    await call(acme, 'PUT', `/models/${name}`, { ...compatible, credential: { name, key: 'key' } })
  }
  const right = await call(acme, 'POST', '/models/right/test')
  t.match(right, {
    status: 200,
    json: { ok: true, text: 'ready', usage: { inputTokens: 7, outputTokens: 3 }, error: null },
  })
  const wrong = await call(acme, 'POST', '/models/wrong/test', undefined, 'builder')
  t.match(wrong, { status: 200, json: { ok: false, text: null, error: { code: 'model_unauthorized' } } })
  t.equal(server.asked.length, asked + 2, 'each was asked once')
  await credential(acme, 'right', 'sk-sentinel-right', ['api.openai.com'])
  const moved = await call(acme, 'POST', '/models/right/test')
  t.match(moved, { json: { ok: false, error: { code: 'egress_refused', message: /may not be sent to/ } } })
  await call(acme, 'DELETE', '/credentials/right')
  t.match(await call(acme, 'POST', '/models/right/test'), {
    json: { ok: false, error: { code: 'credential_missing' } },
  })
  t.equal(server.asked.length, asked + 2, 'no key, no question')
  for (const answer of [right, wrong, moved]) t.notMatch(answer.text, 'sentinel')
  t.equal((await call(beta, 'POST', '/models/right/test')).status, 404)
  await admin.query('update app.tenants set model_calls_per_minute = 1')
  await call(acme, 'POST', '/models/wrong/test')
  t.match(await call(acme, 'POST', '/models/wrong/test'), { status: 429, json: { code: 'too_many_requests' } })
})

t.test('there are fifty purposes at most', async (t) => {
  for (let count = 0; count < 50; count += 1) await call(beta, 'PUT', `/models/p${count}`, compatible)
  t.match(await call(beta, 'PUT', '/models/p50', compatible), { status: 400, json: { faults: [{ path: 'purpose' }] } })
  t.equal((await call(beta, 'PUT', '/models/p49', compatible)).status, 200)
})
