import t from 'tap'
import { hookTests, messageBody } from '../support/hooks.ts'

// What a webhook does with a message that is signed rightly. Who may not send one is asked in test/isolation/hooks.test.ts.
const { app, admin, tokenFor, acme, beta, newHook, send, counts } = await hookTests(t)

t.test('a signed message starts one session, in its tenant, and the event says so', async (t) => {
  const hook = await newHook(acme)
  const { status, json } = await send(hook, { id: 'msg_first' })
  t.equal(status, 202)
  t.same(Object.keys(json), ['sessionId'])
  const { rows } = await admin.query('select * from app.sessions where id = $1', [json.sessionId])
  t.match(rows, [
    { tenant_id: acme.tenantId, created_by: `trigger:${hook.id}`, input: { payload: JSON.parse(messageBody) } },
  ])
  const events = await admin.query('select type, data from app.session_events where session_id = $1 order by seq', [
    json.sessionId,
  ])
  t.match(events.rows, [
    { type: 'session_created' },
    { type: 'webhook_received', data: { triggerId: hook.id, messageId: 'msg_first' } },
  ])
})

t.test('the same message again is the same session, however often and from wherever it comes', async (t) => {
  const hook = await newHook(acme)
  const first = await send(hook, { id: 'msg_again' })
  const before = await counts()
  for (const change of [{}, { at: new Date(Date.now() - 60_000) }, { signed: '{"other":"body"}' }]) {
    t.same((await send(hook, { id: 'msg_again', ...change })).json, first.json)
  }
  t.same(await counts(), before)
  const other = await newHook(beta)
  const elsewhere = await send(other, { id: 'msg_again' })
  t.not(elsewhere.json.sessionId, first.json.sessionId, 'ids of two webhooks are independent')
})

t.test('the same message many times at once starts one session', async (t) => {
  const [hook, other] = [await newHook(acme), await newHook(acme)]
  // So that every connection is open, and nobody comes late for want of one.
  await Promise.all(Array.from({ length: 8 }, () => send(other)))
  const answers = await Promise.all(Array.from({ length: 8 }, () => send(hook, { id: 'msg_at_once' })))
  t.equal(new Set(answers.map(({ status, json }) => `${status} ${json.sessionId}`)).size, 1)
  const { rows } = await admin.query('select from app.sessions where created_by = $1', [`trigger:${hook.id}`])
  t.equal(rows.length, 1)
})

t.test(
  'a sender with the right secret learns what is wrong with the message, and nothing of the organization',
  async (t) => {
    const hook = await newHook(acme)
    for (const signed of ['{', '', '{"__proto__": {}}', '{"a": "\\u0000"}', `${'['.repeat(200)}${']'.repeat(200)}`]) {
      const { status, json } = await send(hook, { signed })
      t.equal(`${status} ${json.code}`, '400 invalid_request', signed.slice(0, 20))
    }
    await admin.query(`update app.agents set status = 'archived' where name = $1`, [hook.agent])
    const refused = await send(hook, { id: 'msg_early' })
    t.equal(`${refused.status} ${refused.json.code}`, '409 conflict')
    t.notMatch(refused.whole, 'canary')
    const firing = await admin.query('select outcome, reason from app.trigger_firings where trigger_id = $1', [hook.id])
    t.match(firing.rows, [{ outcome: 'failed', reason: { message: /archived/ } }], 'the organization sees why')
    await admin.query(`update app.agents set status = 'active' where name = $1`, [hook.agent])
    t.equal((await send(hook, { id: 'msg_early' })).status, 202, 'and the message can come again')
  },
)

t.test('who sends too much waits, and nobody else does', async (t) => {
  const limited = await newHook(acme, { maxConcurrent: 1 })
  t.equal((await send(limited)).status, 202)
  t.equal((await send(limited)).status, 429, 'its run is not finished')
  const hook = await newHook(acme)
  const statuses = new Map<number, number>()
  for (let index = 0; index < 130; index += 1) {
    const { status } = await send(hook, { id: 'msg_flood' })
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  t.ok((statuses.get(202) ?? 0) >= 100 && (statuses.get(429) ?? 0) > 0, JSON.stringify([...statuses]))
  t.equal((await send(await newHook(acme))).status, 202, 'another webhook of the same organization')
  t.equal((await send(await newHook(beta))).status, 202, 'another organization')
})

t.test('a secret is replaced without losing a message, and the old one ends', async (t) => {
  const hook = await newHook(acme)
  const rotate = async () => {
    const headers = { authorization: `Bearer ${await tokenFor(acme, 'builder')}` }
    const answer = await app.inject({ method: 'POST', url: `/v1/triggers/${hook.id}/rotate-secret`, headers })
    t.equal(answer.statusCode, 200)
    return answer.json() as { secret: string; previousUntil: string }
  }
  const { secret, previousUntil } = await rotate()
  const ahead = Date.parse(previousUntil) - Date.now()
  t.ok(ahead > 23 * 3_600_000 && ahead <= 24 * 3_600_000, 'for a day')
  for (const secrets of [[hook.secret], [secret], [hook.secret, secret]])
    t.equal((await send(hook, { secrets })).status, 202)
  await admin.query(`update app.triggers set previous_until = now() where id = $1`, [hook.id])
  t.equal((await send(hook)).status, 404, 'the old secret')
  const next = await rotate()
  for (const secrets of [[secret], [next.secret]]) t.equal((await send(hook, { secrets })).status, 202)
  t.equal((await send(hook)).status, 404, 'the first one, two later')
})
