import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import t from 'tap'
import { testApp } from '../support/app.ts'
import { seedTenant } from '../support/database.ts'
import { form, type Part } from '../support/forms.ts'

const { app, doors, admin, tokenFor } = await testApp(t)
const acme = await seedTenant(doors, 'acme')
const operator = await tokenFor(acme, 'operator')
const agent = 'hourly-tracking'
const deployed = await app.inject({
  method: 'POST',
  url: `/v1/templates/${agent}/deploy`,
  headers: { authorization: `Bearer ${await tokenFor(acme, 'builder')}` },
})
if (deployed.statusCode !== 201) throw new Error(deployed.body)
const { input } = (
  await app.inject({ method: 'GET', url: `/v1/agents/${agent}`, headers: { authorization: `Bearer ${operator}` } })
).json()
const columns: Record<'broker' | 'investor', string[]> = {
  broker: input.properties.broker.contentSchema.items.required,
  investor: input.properties.investor.contentSchema.items.required,
}

/** One row that fits, with changes by column. */
function csv(file: 'broker' | 'investor', rows: Record<string, string>[] = [{}]): string {
  const properties = input.properties[file].contentSchema.items.properties as Record<
    string,
    { format?: string; enum?: string[] }
  >
  const value = (name: string) => {
    const { format, enum: choices } = properties[name] ?? {}
    if (choices) return choices[0]!
    if (format === 'decimal' || /amount|fees/.test(name)) return '10.00'
    if (format === 'date-time') return '2026-01-02T03:04:05Z'
    if (format === 'date') return '2026-01-02'
    return /currency/.test(name) ? 'EUR' : `${name}-1`
  }
  const lines = rows.map((row) => columns[file].map((name) => row[name] ?? value(name)).join(','))
  return `${[columns[file].join(','), ...lines].join('\n')}\n`
}

async function start(files: Partial<Record<string, string | Buffer>>, body: object = { agent }) {
  const parts: Part[] = [{ name: 'request', content: JSON.stringify(body) }]
  for (const [name, content] of Object.entries(files)) parts.push({ name, content: content!, fileName: `${name}.csv` })
  const upload = form(parts)
  const headers = { ...upload.headers, authorization: `Bearer ${operator}` }
  const answer = await app.inject({ method: 'POST', url: '/v1/sessions', headers, body: upload.body })
  return { status: answer.statusCode, body: answer.json() }
}

async function call(method: 'GET' | 'POST', url: string, token = operator) {
  const answer = await app.inject({ method, url, headers: { authorization: `Bearer ${token}` } })
  return { status: answer.statusCode, body: answer.json() }
}

t.test('a session begins queued, with its files, an event and an audit entry', async (t) => {
  const { status, body } = await start(
    { broker: csv('broker'), investor: csv('investor') },
    { agent, title: 'January' },
  )
  t.match({ status, ...body }, { status: 201, title: 'January', agent, run: { status: 'queued', error: null } })
  t.same(
    body.files.map((file: { name: string }) => file.name),
    ['broker', 'investor'],
  )
  t.match((await call('GET', `/v1/sessions/${body.id}/events`)).body.items, [{ id: 1, type: 'session_created' }])
  const { rows } = await admin.query(
    "select actor from audit_entries where action = 'sessions.create' and resource = $1",
    [`session:${body.id}`],
  )
  t.same(rows, [{ actor: `user:${acme.members.operator}` }])
  const file = await app.inject({
    url: `/v1/sessions/${body.id}/files/broker`,
    headers: { authorization: `Bearer ${operator}` },
  })
  t.equal(file.body, csv('broker'))
})

t.test('a session begins where its package lets it, and the package says where', async (t) => {
  const files = { broker: csv('broker'), investor: csv('investor') }
  const named = await start(files, { agent, entryPoint: 'start' })
  t.match(named, { status: 201, body: { entryPoint: 'start' } })
  const { rows } = await admin.query('select entry_point from sessions where id = $1', [named.body.id])
  t.same(rows, [{ entry_point: 'start' }])
  t.match((await start(files)).body, { entryPoint: null })
  for (const entryPoint of ['nowhere', 'constructor']) {
    const refused = await start(files, { agent, entryPoint })
    t.match(refused, { status: 400, body: { code: 'input_invalid', faults: [{ path: 'entryPoint' }] } }, entryPoint)
  }
})

t.test('faults of a file are named by file, line and reason, and no session begins', async (t) => {
  const count = async () => Number((await admin.query('select count(*) from sessions')).rows[0].count)
  const before = await count()
  const header = columns.broker.join(',')
  const amount = columns.broker.find((name) => name.includes('amount'))!
  const cases: [string, string | Buffer, RegExp, number?][] = [
    ['a missing column', 'transaction_id\nx\n', /lacks the column/],
    ['a bad decimal', csv('broker', [{}, { transaction_id: 'b', [amount]: '1.5x' }]), new RegExp(amount), 3],
    ['a repeated id', csv('broker', [{}, {}]), /earlier row/, 3],
    ['an encoding other than UTF-8', Buffer.from(`${header}\n\xff\xfe`, 'latin1'), /not UTF-8/],
    ['a row too long', `${csv('broker').trimEnd()},more\n`, /more or fewer/, 2],
    ['NUL characters', `${header}\na\0b`, /NUL/],
    ['no content', '', /empty/],
    ['an open quote', `${header}\n"abc`, /[Qq]uote/],
  ]
  for (const [what, content, reason, line] of cases) {
    const { status, body } = await start({ broker: content, investor: csv('investor') })
    t.match({ status, code: body.code }, { status: 400, code: 'input_invalid' }, what)
    t.match(body.faults[0], { file: 'broker', reason, ...(line ? { line } : {}) }, what)
  }
  t.equal(await count(), before)
})

t.test('files and values must be those that the agent declares', async (t) => {
  const missing = await start({ broker: csv('broker') })
  t.match(missing.body.faults, [{ file: 'investor', reason: /required/ }])
  const extra = await start({ broker: csv('broker'), investor: csv('investor'), other: 'x' })
  t.match(extra.body.faults, [{ file: 'other', reason: /no such file/ }])
  for (const field of ['tenantId', 'tenant_id', 'createdBy', 'status', 'id']) {
    const { status, body } = await start(
      { broker: csv('broker'), investor: csv('investor') },
      { agent, [field]: randomUUID() },
    )
    t.match({ status, code: body.code }, { status: 400, code: 'invalid_request' }, field)
  }
  t.match(await start({}, { agent: 'no-such-agent' }), { status: 404 })
})

t.test('a file of 2 GB is refused as soon as it is announced', async (t) => {
  const address = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
  const sending = request(
    {
      host: address.hostname,
      port: address.port,
      path: '/v1/sessions',
      method: 'POST',
      headers: {
        authorization: `Bearer ${operator}`,
        'content-type': 'multipart/form-data; boundary=x',
        'content-length': String(2 * 1024 ** 3),
      },
    },
    (answer) => {
      resolve(answer.statusCode)
      sending.destroy()
    },
  )
  sending.on('error', reject)
  sending.write('--x\r\n')
  t.equal(await promise, 413)
})

t.test('pause, resume and cancel of a run that no worker holds', async (t) => {
  const { body } = await start({ broker: csv('broker'), investor: csv('investor') })
  const path = `/v1/sessions/${body.id}`
  t.match(await call('POST', `${path}/resume`), { status: 409, body: { code: 'conflict' } })
  t.match(await call('POST', `${path}/pause`), { status: 200, body: { run: { status: 'paused' } } })
  t.match(await call('POST', `${path}/resume`), { status: 200, body: { run: { status: 'queued' } } })
  t.match(await call('POST', `${path}/cancel`), {
    status: 200,
    body: { run: { status: 'cancelled', finishedAt: String } },
  })
  t.match(await call('POST', `${path}/cancel`), { status: 409 })
  const { items } = (await call('GET', `${path}/events`)).body
  t.same(
    items.map((event: { type: string }) => event.type),
    ['session_created', 'execution_paused', 'execution_resumed', 'execution_cancelled'],
  )
  t.match(await call('POST', `${path}/pause`, await tokenFor(acme, 'auditor')), { status: 403 })
})

t.test('sessions are paged, newest first, and filtered by agent', async (t) => {
  for (let n = 0; n < 22; n += 1) await start({ broker: csv('broker'), investor: csv('investor') })
  const first = (await call('GET', `/v1/sessions?agent=${agent}`)).body
  t.equal(first.items.length, 20)
  const second = (await call('GET', `/v1/sessions?agent=${agent}&cursor=${first.nextCursor}`)).body
  const ids = [...first.items, ...second.items].map((one: { id: string }) => one.id)
  t.equal(new Set(ids).size, ids.length)
  t.same((await call('GET', '/v1/sessions?agent=another-one')).body.items, [])
  t.match(await call('GET', '/v1/sessions?cursor=nonsense'), { status: 400 })
  t.match(await call('GET', '/v1/sessions?limit=7'), { status: 400 })
})
