import { randomUUID } from 'node:crypto'
import t from 'tap'
import { askMessage, messagesOf, withdrawMessages } from '../../src/features/messages/service.ts'
import { TenantContext } from '../../src/tenancy/context.ts'
import { seedWork, type Work } from '../isolation/work.ts'
import { testApp } from '../support/app.ts'
import { seedTenant } from '../support/database.ts'

// What a run asks in the chat, and what people answer.
const { app, admin, worker, doors, services, tokenFor } = await testApp(t)
const acme = await seedTenant(doors, 'acme')
const [operator, auditor] = [await tokenFor(acme, 'operator'), await tokenFor(acme, 'auditor')]

async function post(sessionId: string, payload: object) {
  const headers = { authorization: `Bearer ${operator}` }
  const answer = await app.inject({ method: 'POST', url: `/v1/sessions/${sessionId}/messages`, headers, payload })
  return { status: answer.statusCode, ...answer.json() }
}

async function conversation(sessionId: string, query = '') {
  const headers = { authorization: `Bearer ${auditor}` }
  return (await app.inject({ url: `/v1/sessions/${sessionId}/messages${query}`, headers })).json()
}

const one = async (text: string, ...values: unknown[]) => (await admin.query(text, values)).rows[0]
const seed = () => seedWork(admin, services.files, acme)

/** The run as a worker that holds it. */
async function held({ runId }: Work) {
  await admin.query(`update runs set status = 'running', epoch = epoch + 1 where id = $1`, [runId])
  const { epoch } = await one('select epoch from runs where id = $1', runId)
  return TenantContext.openRun(worker, acme.tenantId, runId, epoch)
}

function question(call: string, prompt = `question ${call}`) {
  return { kind: 'message' as const, call, step: 1, nodeId: 'chat', prompt, evidence: [{ key: 'total', value: 12 }] }
}

async function ask(work: Work, ...calls: string[]) {
  const tenant = await held(work)
  const ids: (string | undefined)[] = []
  for (const call of calls) {
    ids.push(await tenant.transaction((tx) => askMessage(tx, { ...work, effect: question(call) })))
  }
  await admin.query(`update runs set status = 'waiting' where id = $1`, [work.runId])
  return ids
}

t.test('a question is answered, and the run goes on in the same transaction', async (t) => {
  const work = await seed()
  t.match(await conversation(work.sessionId), { items: [{ prompt: 'asked of acme', status: 'pending', text: null }] })
  const answer = await post(work.sessionId, { text: 'Take the second one.' })
  t.match(answer, { status: 'answered', text: 'Take the second one.', answeredBy: `user:${acme.members.operator}` })
  t.equal((await one('select status from runs where id = $1', work.runId)).status, 'queued')
  const event = await one(`select run_id, node_id, data from session_events where type = 'client_input_received'`)
  t.same(event, { run_id: work.runId, node_id: 'acme', data: { messageId: work.messageId, characters: 20 } })
  const entry = await one(`select actor, details from audit_entries where resource = $1`, `message:${work.messageId}`)
  t.same(entry, { actor: `user:${acme.members.operator}`, details: { characters: 20 } }, 'the text is in no entry')
  const tenant = await held(work)
  const [said] = await messagesOf(tenant.rows, work.runId)
  t.match(said, { kind: 'message', call: '1.2', text: 'Take the second one.', from: /acme/, at: answer.answeredAt })
})

t.test('the oldest question is answered first, a named one at any time', async (t) => {
  const work = await seed()
  const [second, third] = await ask(work, '2.1', '3.1')
  t.match(await post(work.sessionId, { text: 'c', messageId: third }), { id: third, text: 'c' })
  t.match(await post(work.sessionId, { text: 'a' }), { id: work.messageId, text: 'a' })
  t.match(await post(work.sessionId, { text: 'b' }), { id: second, text: 'b', prompt: 'question 2.1' })
  const { items } = await conversation(work.sessionId)
  t.same(
    items.map((item: { text: string }) => item.text),
    ['c', 'b', 'a'],
    'newest first',
  )
  t.match(await conversation(work.sessionId, '?status=pending'), { items: { length: 0 }, nextCursor: null })
})

t.test('asking twice is asking once; withdrawing leaves what was answered', async (t) => {
  const work = await seed()
  t.type((await ask(work, '2.1'))[0], 'string')
  t.same(await ask(work, '2.1'), [undefined])
  await post(work.sessionId, { text: 'a' })
  const tenant = await held(work)
  await tenant.transaction((tx) => withdrawMessages(tx, work.runId))
  const { items } = await conversation(work.sessionId)
  t.match(items, [{ status: 'withdrawn' }, { status: 'answered' }])
  t.match(await post(work.sessionId, { text: 'late', messageId: items[0].id }), {
    code: 'conflict',
    detail: /nothing is asked .* running/,
  })
})

t.test('a double click, and two people at once, answer once', async (t) => {
  const work = await seed()
  const sent = await Promise.all(
    Array.from({ length: 6 }, (_, n) => post(work.sessionId, { text: `answer ${n}`, messageId: work.messageId })),
  )
  const [winner, ...others] = sent.sort((a, b) => String(b.text ?? '').length - String(a.text ?? '').length)
  t.equal(winner.status, 'answered')
  t.same(new Set(others.map((answer) => `${answer.status} ${answer.code}`)), new Set(['409 already_answered']))
  t.equal((await one('select text from messages where id = $1', work.messageId)).text, winner.text)
  const { count } = await one(
    `select count(*)::int from session_events where type = 'client_input_received' and run_id = $1`,
    work.runId,
  )
  t.equal(count, 1)
})

t.test('an answer and a cancellation at once: one of them wins, whole', async (t) => {
  for (let round = 0; round < 8; round += 1) {
    const work = await seed()
    const headers = { authorization: `Bearer ${operator}` }
    const url = `/v1/sessions/${work.sessionId}/cancel`
    const [answer] = await Promise.all([
      post(work.sessionId, { text: 'go on' }),
      app.inject({ method: 'POST', url, headers }),
    ])
    const row = await one(
      'select m.status, r.status as run from messages m join runs r on r.id = m.run_id where m.id = $1',
      work.messageId,
    )
    t.same(row, { status: answer.status === 409 ? 'withdrawn' : 'answered', run: 'cancelled' })
  }
})

t.test('where nothing is asked, the reason is said', async (t) => {
  const work = await seed()
  await post(work.sessionId, { text: 'a' })
  t.match(await post(work.sessionId, { text: 'b' }), { status: 409, code: 'conflict', detail: /the run is queued/ })
  const other = await seed()
  const foreign = { text: 'b', messageId: other.messageId }
  t.match(await post(work.sessionId, foreign), { status: 404 }, 'a question of another session')
  t.match(await post(randomUUID(), { text: 'b' }), { status: 404 })
  t.match(await conversation(randomUUID()), { status: 404 })
})

t.test('what is said and asked is bounded', async (t) => {
  const work = await seed()
  for (const text of ['', 'x'.repeat(16_001), 'a\0b', 7]) {
    t.match(await post(work.sessionId, { text }), { status: 400 }, JSON.stringify(text).slice(0, 20))
  }
  t.match(await post(work.sessionId, { text: '😀'.repeat(16_000) }), { status: 'answered' }, 'characters, not bytes')
  const tenant = await held(work)
  const long = question('2.1', 'x'.repeat(65_536))
  const refused = tenant.transaction((tx) => askMessage(tx, { ...work, effect: long }))
  await t.rejects(refused, { code: 'payload_too_large', message: /"chat" asks/ })
})

t.test('a run that a person paused stays paused', async (t) => {
  const work = await seed()
  await admin.query(`update runs set status = 'paused' where id = $1`, [work.runId])
  t.match(await post(work.sessionId, { text: 'a' }), { status: 'answered' })
  t.equal((await one('select status from runs where id = $1', work.runId)).status, 'paused')
})
