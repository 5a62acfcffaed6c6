import t from 'tap'
import { decide, getApproval } from '../../src/features/approvals/service.ts'
import { runAgain } from '../../src/features/sessions/service.ts'
import { type Asked, court } from '../support/court.ts'
import { addMember, seedTenant } from '../support/database.ts'
import { workplace } from '../support/work.ts'

// Who may answer, how many must agree, and to what exactly.
const place = await workplace(t)
const { admin, doors } = place
const acme = await seedTenant(doors, 'acme')
const { person, ask, answer, pendingOf } = court(place, acme)
await place.work(t)
const [olga, ben, cleo] = [await person('olga'), await person('ben'), await person('cleo')]
const starter = await person('stan', ['builder'])

const statusOf = async ({ approvalId }: Asked) =>
  (await admin.query('select status from app.approvals where id = $1', [approvalId])).rows[0].status
const answersOf = async ({ approvalId }: Asked) =>
  (
    await admin.query('select * from app.approval_decisions where approval_id = $1 order by decided_at, id', [
      approvalId,
    ])
  ).rows
const memoryOf = async ({ runId }: Asked, key: string) =>
  (await place.rowsOf('run_memory', runId)).filter((row) => row['key'] === key).at(-1)?.['value']

const deciderOf = async (asked: Asked) => {
  const { decision, decidedBy } = (await memoryOf(asked, 'review')) as { decision: string; decidedBy: string }
  return [decision, decidedBy]
}

t.test('a quorum is different people; the run goes on with the last one, and knows them all', async (t) => {
  const asked = await ask(starter, { roles: ['operator'], quorum: 2 })
  const first = await answer(olga, asked, 'approve')
  t.match(first, { status: 'pending', quorum: 2, mayDecide: false, answers: [{ stands: true, stage: 1 }] })
  t.equal((await place.rowsOf('runs', asked.runId))[0]?.['status'], 'waiting')
  t.ok((await place.eventsOf(asked.sessionId)).includes('approval_answered'))
  await t.rejects(answer(olga, asked, 'approve', { reason: 'again' }), { code: 'already_decided' })
  t.equal((await answersOf(asked)).length, 1)
  const second = await answer(ben, asked, 'approve')
  t.match(second, { status: 'approved', decidedBy: `user:${ben.userId}` })
  await place.arrives(asked.runId, 'completed')
  t.same(await deciderOf(asked), ['approve', `${olga.email}, ${ben.email}`])
  const types = await place.eventsOf(asked.sessionId)
  t.equal(types.filter((type) => type === 'approval_decided').length, 1)
})

t.test('the very same answer twice is one answer', async (t) => {
  const asked = await ask(starter, { roles: ['operator'], quorum: 2 })
  const { payloadHash } = await getApproval(olga.may('approvals:read'), asked.approvalId)
  const edit = { decision: 'edit', values: 7, payloadHash, reason: 'seven' } as const
  const clicks = [1, 2].map(() => decide(olga.may('approvals:write'), asked.approvalId, edit, new Date()))
  for (const click of await Promise.all(clicks)) t.match(click, { status: 'pending', edited: 7 })
  t.equal((await answersOf(asked)).length, 1)
  await t.rejects(decide(olga.may('approvals:write'), asked.approvalId, { ...edit, values: 8 }, new Date()), {
    code: 'already_decided',
  })
  await answer(ben, asked, 'approve')
  t.match(await decide(olga.may('approvals:write'), asked.approvalId, edit, new Date()), { status: 'edited' })
})

t.test('one rejection rejects', async (t) => {
  const asked = await ask(starter, { roles: ['operator'], quorum: 3 })
  await answer(olga, asked, 'approve')
  t.match(await answer(ben, asked, 'reject'), { status: 'rejected', decidedBy: `user:${ben.userId}` })
  await place.arrives(asked.runId, 'rejected')
  t.same(await deciderOf(asked), ['reject', ben.email])
  await t.rejects(answer(cleo, asked, 'approve'), { code: 'already_decided' })
})

t.test('people who answer at the same moment come one after the other', async (t) => {
  const agreeing = await ask(starter, { roles: ['operator'], quorum: 2 })
  await Promise.all([olga, ben].map((one) => answer(one, agreeing, 'approve')))
  t.equal(await statusOf(agreeing), 'approved')
  const disagreeing = await ask(starter, { roles: ['operator'] })
  const results = await Promise.allSettled([
    answer(olga, disagreeing, 'approve'),
    answer(ben, disagreeing, 'reject'),
    answer(cleo, disagreeing, 'edit', { values: 3 }),
  ])
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const one of results) {
    if (one.status === 'rejected') t.match(one.reason, { code: /already_decided|payload_changed/ })
  }
  t.equal((await answersOf(disagreeing)).length, 1)
  await place.arrives(agreeing.runId, 'completed')
})

t.test('an edit is what the others must agree to, and voids what was agreed before', async (t) => {
  const asked = await ask(starter, { roles: ['operator'], quorum: 2 })
  const before = await answer(olga, asked, 'approve')
  const edited = await answer(ben, asked, 'edit', { values: 5 })
  t.not(edited.payloadHash, before.payloadHash)
  t.match(edited, { status: 'pending', proposal: { value: 5 }, answers: [{ stands: false }, { stands: true }] })
  await t.rejects(answer(cleo, asked, 'approve', { payloadHash: before.payloadHash }), { code: 'payload_changed' })
  await t.rejects(answer(ben, asked, 'approve'), { code: 'already_decided' }, 'nobody agrees with themselves')

  // Back to what was proposed at first: still nobody's earlier agreement counts.
  const back = await answer(cleo, asked, 'edit', { values: 42 })
  t.match(back, { status: 'pending', proposal: { value: 42 } })
  t.same(
    back.answers.map(({ stands }) => stands),
    [false, false, true],
  )
  t.match(await answer(olga, asked, 'approve'), { status: 'edited', edited: 42 })
  await place.arrives(asked.runId, 'completed')
  t.same(await deciderOf(asked), ['edit', `${cleo.email}, ${olga.email}`])
})

t.test('an edit is held to the schema, and to something that can be edited', async (t) => {
  const asked = await ask(starter)
  await t.rejects(answer(olga, asked, 'edit', { values: 'five' }), { code: 'input_invalid' })
  await t.rejects(answer(olga, asked, 'edit'), { code: 'invalid_request' })
  await t.rejects(answer(olga, asked, 'approve', { values: 5 }), { code: 'invalid_request' })
  await t.rejects(answer(olga, asked, 'approve', { payloadHash: '0'.repeat(64) }), { code: 'payload_changed' })
  t.same(await answersOf(asked), [], 'what is refused leaves nothing behind')
  await answer(olga, asked, 'edit', { values: 9 })
  await place.arrives(asked.runId, 'completed')
  t.equal(await memoryOf(asked, 'doubled'), 9)
})

t.test('whoever the run works for does not decide it: not who started it, nor who ran it again', async (t) => {
  const rule = { roles: ['operator'], notRequester: true }
  const asked = await ask(olga, rule)
  await t.rejects(answer(olga, asked, 'approve'), { code: 'forbidden', message: /somebody else than who started/ })
  await answer(ben, asked, 'reject')
  await place.arrives(asked.runId, 'rejected')
  const again = await runAgain(ben.may('runs:write'), asked.sessionId, {})
  await place.arrives(again.run.id, 'waiting')
  const second = { ...asked, runId: again.run.id, approvalId: await pendingOf(again.run.id) }
  await t.rejects(answer(olga, second, 'approve'), { code: 'forbidden' }, 'who started the session')
  await t.rejects(answer(ben, second, 'approve'), { code: 'forbidden' }, 'who ran it again')
  await answer(cleo, second, 'approve')
  await place.arrives(again.run.id, 'completed')
})

t.test('people decide: a service account does not', async (t) => {
  const asked = await ask(starter)
  const robot = await person('robot')
  await admin.query(`update app.memberships set kind = 'service-account' where user_id = $1`, [robot.userId])
  await t.rejects(answer(robot, asked, 'approve'), { code: 'forbidden', message: /people/ })
})

t.test('only who is named decides, whatever roles others have; being named gives no right', async (t) => {
  const asked = await ask(starter, { people: ['OLGA@acme.test', starter.email] })
  await t.rejects(answer(ben, asked, 'approve'), { code: 'forbidden', message: /olga@acme.test/ })
  await t.throws(() => starter.may('approvals:write'), { code: 'forbidden' })
  await answer(olga, asked, 'approve')
  t.equal(await statusOf(asked), 'approved')
})

t.test('rights are those of the moment of the answer', async (t) => {
  const asked = await ask(starter, { roles: ['tenant-admin'], quorum: 2 })
  const [ann, amy, dan] = [
    await person('ann'),
    await person('amy', ['tenant-admin']),
    await person('dan', ['tenant-admin']),
  ]
  await t.rejects(answer(ann, asked, 'approve'), { code: 'forbidden' })
  await addMember(doors, acme.tenantId, ann.userId, ['operator', 'tenant-admin'], ann.email)
  t.match(await answer(ann, asked, 'approve'), { status: 'pending' }, 'raised meanwhile')
  await addMember(doors, acme.tenantId, ann.userId, [], ann.email)
  await t.rejects(answer(ann, asked, 'reject'), { code: 'membership_required' })
  t.match(await answer(amy, asked, 'approve'), { status: 'pending' }, 'who has left no longer counts')
  t.match(await answer(dan, asked, 'approve'), { status: 'approved' })
  await place.arrives(asked.runId, 'completed')
  t.same(await deciderOf(asked), ['approve', `${amy.email}, ${dan.email}`], 'nor is named')
})
