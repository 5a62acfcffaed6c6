import t from 'tap'
import { createOutgoing } from '../../src/providers/outgoing.ts'
import { seedTenant } from '../support/database.ts'
import { sendJson, serve } from '../support/http-server.ts'
import { canary, crm, keep, packageWith, storedOf } from '../support/tool-runs.ts'
import { until } from '../support/until.ts'
import { workplace } from '../support/work.ts'

// Runs that send HTTP requests: what reaches the world, and what is kept of it.
const place = await workplace(t)
const acme = await seedTenant(place.doors, 'acme')

const http = {
  type: 'function',
  tool: 'http',
  inputKeys: ['url', 'method', 'headers', 'body'],
  outputKeys: ['status', 'body'],
}
t.test('http: a secret goes out, and is in nothing that is stored', async (t) => {
  const server = await serve(t, ({ headers }, response) => sendJson(response, { heard: headers['x-key'] }))
  await place.work(t, { outgoing: createOutgoing({ allow: [server.place] }) })
  await keep(place, acme, 'crm', [server.place])
  await place.deploy(acme, 'caller', packageWith('caller', http, crm))
  const headers = { 'X-Key': '{{credentials.crm.key}}' }
  const { runId } = await place.begin(acme, 'caller', { url: server.url, method: 'POST', headers, body: { a: 1 } })
  await place.arrives(runId, 'completed')
  t.match(server.received, [{ headers: { 'x-key': canary, 'idempotency-key': `${runId}:1.1` }, body: '{"a":1}' }])
  const memory = Object.fromEntries((await place.rowsOf('run_memory', runId)).map(({ key, value }) => [key, value]))
  t.same(memory['body'], { heard: '[secret]' })
  t.equal(memory['status'], 200)
  t.notMatch(await storedOf(place, runId), 'canary')
})

const failures: Record<string, [input: Record<string, unknown>, change: object, code: string, says: RegExp]> = {
  'a credential that the package does not name': [
    { headers: { a: '{{credentials.crm.key}}' } },
    {},
    'credential_missing',
    /does not name crm in its requiredCredentials/,
  ],
  'a host that the credential is not for': [
    { headers: { a: '{{credentials.elsewhere.key}}' } },
    { requiredCredentials: [{ name: 'elsewhere', type: 'api_key' }] },
    'egress_refused',
    /credential elsewhere may not be sent/,
  ],
  'an address inside': [{ url: 'http://169.254.169.254/latest' }, {}, 'egress_refused', /public internet/],
  'no address': [{ url: 17 }, {}, 'input_invalid', /\/url/],
  'a method that there is not': [{ method: 'BREW' }, {}, 'input_invalid', /\/method/],
}

t.test('http: what goes wrong is readable on the run', async (t) => {
  const server = await serve(t, (_, response) => sendJson(response, {}))
  await place.work(t, { outgoing: createOutgoing({ allow: [server.place] }) })
  await keep(place, acme, 'elsewhere', ['example.com'])
  for (const [index, [what, [input, change, code, says]]] of Object.entries(failures).entries()) {
    await place.deploy(acme, `wrong-${index}`, packageWith(`wrong-${index}`, http, change))
    const { runId, sessionId } = await place.begin(acme, `wrong-${index}`, { url: server.url, ...input })
    t.match((await place.arrives(runId, 'failed'))['error'], { code, message: says }, what)
    t.notMatch(await storedOf(place, runId), 'canary')
    const told = (await place.eventsOf(sessionId)).includes('credentials_required')
    t.equal(told, code === 'credential_missing', what)
  }
  t.equal(server.received.length, 0)
})

t.test('http: a cancelled run ends its request at once', async (t) => {
  const closed = Promise.withResolvers<void>()
  const server = await serve(t, (_, response) => response.on('close', closed.resolve))
  await place.work(t, { outgoing: createOutgoing({ allow: [server.place] }) })
  await place.deploy(acme, 'hanging', packageWith('hanging', http))
  const { runId } = await place.begin(acme, 'hanging', { url: server.url })
  await until('the request has come', () => server.received.length === 1)
  await place.admin.query("update runs set requested = 'cancel' where id = $1", [runId])
  await closed.promise
  await place.arrives(runId, 'cancelled')
})
