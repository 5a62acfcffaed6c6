import { randomUUID } from 'node:crypto'
import t from 'tap'
import { deleteDelegation, getDelegation, putDelegation } from '../../src/features/absences/service.ts'
import { countApprovals, getApproval, listApprovals } from '../../src/features/approvals/service.ts'
import { deletePolicy, getPolicy, putPolicy } from '../../src/features/policies/service.ts'
import { type Asked, court, type Person } from '../support/court.ts'
import { addMember, seedTenant } from '../support/database.ts'
import { workplace } from '../support/work.ts'

// Who decides in whose place, what each person finds in their inbox, and what an organization's own policies change.
const place = await workplace(t)
const { admin, doors } = place
const acme = await seedTenant(doors, 'acme')
const beta = await seedTenant(doors, 'beta')
const { person, ask, answer, passTime } = court(place, acme)
await place.work(t)
const starter = await person('stan', ['builder'])
const boss = await person('boss', ['tenant-admin'])

const hours = (count: number) => new Date(Date.now() + count * 3_600_000).toISOString()
const goAway = (who: Person, delegate: Person, from = -1, to = 1) =>
  putDelegation(who.may('approvals:write'), { delegateId: delegate.userId, startsAt: hours(from), endsAt: hours(to) })
const inboxOf = async (who: Person) => {
  const { items } = await listApprovals(who.may('approvals:read'), { assignedTo: 'me' })
  return items.map(({ id }) => id)
}
const mayDecide = async (who: Person, { approvalId }: Asked) =>
  (await getApproval(who.may('approvals:read'), approvalId)).mayDecide

t.test('a delegate decides in the place of who is away, while they are', async (t) => {
  const [ann, dan] = [await person('ann', ['tenant-admin']), await person('dan')]
  const asked = await ask(starter, { roles: ['tenant-admin'] })
  t.notOk(await mayDecide(dan, asked))
  await goAway(ann, dan, 1, 2)
  await t.rejects(answer(dan, asked, 'approve'), { code: 'forbidden' }, 'not before')
  await goAway(ann, dan)
  t.match(await getDelegation(ann.may('approvals:read')), { delegateId: dan.userId })
  t.ok(await mayDecide(dan, asked))
  t.ok((await inboxOf(dan)).includes(asked.approvalId))
  const decided = await answer(dan, asked, 'approve')
  t.match(decided, { status: 'approved', answers: [{ by: `user:${dan.userId}`, forUserId: ann.userId }] })
  await place.arrives(asked.runId, 'completed')
  const memory = (await place.rowsOf('run_memory', asked.runId)).find((row) => row['key'] === 'review')
  t.match(memory?.['value'], { decidedBy: `${dan.email} for ${ann.email}` })
  const audit = await admin.query(`select details from app.audit_entries where resource = $1`, [
    `approval:${asked.approvalId}`,
  ])
  t.match(audit.rows, [{ details: { forUserId: ann.userId } }])

  const later = await ask(starter, { roles: ['tenant-admin'] })
  await admin.query(`update app.absences set ends_at = now() - interval '1 second' where user_id = $1`, [ann.userId])
  await t.rejects(answer(dan, later, 'approve'), { code: 'forbidden' }, 'nor after')
})

t.test('a place is one place, and a person one person', async (t) => {
  const [ann, dan] = [await person('ann2'), await person('dan2')]
  await goAway(ann, dan)
  const asked = await ask(starter, { people: [ann.email, dan.email, boss.email], quorum: 3 })
  t.match(await answer(dan, asked, 'approve'), { answers: [{ forUserId: null }] }, 'for themselves first')
  await t.rejects(answer(dan, asked, 'approve', { reason: 'for Ann' }), { code: 'already_decided' })
  t.notOk(await mayDecide(dan, asked))
  t.match(await answer(ann, asked, 'approve'), { status: 'pending' }, 'who is away may still decide')

  const other = await ask(starter, { people: [ann.email, boss.email], quorum: 2 })
  t.match(await answer(dan, other, 'approve'), { answers: [{ forUserId: ann.userId }] })
  await t.rejects(answer(ann, other, 'approve'), { code: 'already_decided' }, 'somebody has decided in this place')
  t.notOk(await mayDecide(ann, other))
  t.match(await answer(boss, other, 'approve'), { status: 'approved' })
})

t.test('when a delegate has left, the place is free again, and counts once', async (t) => {
  const [ann, dan] = [await person('ann5'), await person('dan5')]
  await goAway(ann, dan)
  const asked = await ask(starter, { people: [ann.email, boss.email, starter.email], quorum: 2 })
  await answer(dan, asked, 'approve')
  await addMember(doors, acme.tenantId, dan.userId, [], dan.email)
  t.ok(await mayDecide(ann, asked))
  t.match(await answer(ann, asked, 'approve'), { status: 'pending' })
  await addMember(doors, acme.tenantId, dan.userId, ['operator'], dan.email)
  const { answers } = await getApproval(boss.may('approvals:read'), asked.approvalId)
  t.same(
    answers.map(({ stands }) => stands),
    [true, false],
    'one answer of each place',
  )
  t.match(await answer(boss, asked, 'approve'), { status: 'approved' })
})

t.test('a delegate never gains more than the place of who is away', async (t) => {
  const [ann, dan, eve] = [await person('ann3', ['tenant-admin']), await person('dan3'), await person('eve3')]
  await goAway(ann, dan)
  await goAway(dan, eve)
  const asked = await ask(starter, { people: [ann.email] })
  await t.rejects(answer(eve, asked, 'approve'), { code: 'forbidden' }, "a delegate's delegate is nobody")
  await addMember(doors, acme.tenantId, ann.userId, ['auditor'], ann.email)
  await t.rejects(answer(dan, asked, 'approve'), { code: 'forbidden' }, 'who may not decide lends nothing')
  await addMember(doors, acme.tenantId, ann.userId, [], ann.email)
  await t.rejects(answer(dan, asked, 'approve'), { code: 'forbidden' }, 'nor who has left')
  t.notOk((await inboxOf(dan)).includes(asked.approvalId))
})

t.test('whoever the run works for decides in nobody’s place, and nobody in theirs', async (t) => {
  const [ann, olga] = [await person('ann4'), await person('olga4')]
  await goAway(ann, olga)
  const mine = await ask(olga, { people: [ann.email, olga.email, boss.email], notRequester: true })
  await t.rejects(answer(olga, mine, 'approve'), { code: 'forbidden' }, 'not for Ann')
  t.notOk((await inboxOf(olga)).includes(mine.approvalId))
  const hers = await ask(ann, { people: [ann.email, boss.email], notRequester: true })
  await t.rejects(answer(olga, hers, 'approve'), { code: 'forbidden' }, 'nor in the place of Ann, who started it')
  t.match(await answer(boss, hers, 'approve'), { status: 'approved' })
})

t.test('delegations that cannot work are refused', async (t) => {
  const [ann, dan] = [await person('ann5'), await person('dan5')]
  const auditor = await person('audrey', ['auditor'])
  const put = (change: object) =>
    putDelegation(ann.may('approvals:write'), {
      ...{ delegateId: dan.userId, startsAt: hours(1), endsAt: hours(2) },
      ...change,
    })
  for (const [what, change] of Object.entries({
    oneself: { delegateId: ann.userId },
    nobody: { delegateId: randomUUID() },
    'a member of another organization': { delegateId: beta.members.operator },
    'a member who may not decide': { delegateId: auditor.userId },
    'the end before the beginning': { endsAt: hours(0.5) },
    'over already': { startsAt: hours(-2), endsAt: hours(-1) },
    'half a year': { endsAt: hours(24 * 180) },
  })) {
    await t.rejects(put(change), { code: 'input_invalid' }, what)
  }
  t.same(await getDelegation(ann.may('approvals:read')), { delegateId: null, startsAt: null, endsAt: null })
  await put({})
  await deleteDelegation(ann.may('approvals:write'))
  t.match(await getDelegation(ann.may('approvals:read')), { delegateId: null })
})

t.test('the inbox is what a person may answer now, and nothing else', async (t) => {
  const [ann, ben] = [await person('ann6'), await person('ben6')]
  const forBoth = await ask(starter, { people: [ann.email, ben.email, boss.email], quorum: 3 })
  const forAnn = await ask(starter, { people: [ann.email] })
  const over = await ask(starter, { people: [ann.email], expiry: { afterMinutes: 5, action: 'reject' } })
  await passTime(over)
  const decided = await ask(starter, { people: [ann.email] })
  await answer(ann, decided, 'approve')
  const mine = async (who: Person) => (await inboxOf(who)).filter((id) => ids.includes(id))
  const ids = [forBoth, forAnn, over, decided].map(({ approvalId }) => approvalId)
  t.same(await mine(ann), [forAnn.approvalId, forBoth.approvalId], 'newest first')
  t.same(await mine(ben), [forBoth.approvalId])
  await answer(ann, forBoth, 'approve')
  t.same(await mine(ann), [forAnn.approvalId], 'what was answered is done')
  await answer(ben, forBoth, 'edit', { values: 1 })
  t.same(await mine(ann), [forAnn.approvalId, forBoth.approvalId], 'an edit asks again')
  t.same(await mine(ben), [])
  const counts = await countApprovals(ann.may('approvals:read'))
  t.equal(counts.assignedToMe, (await inboxOf(ann)).length)
  t.ok(counts.pending > counts.assignedToMe)
  const auditor = await person('audrey6', ['auditor'])
  t.same(await inboxOf(auditor), [], 'who may only read has nothing to do')
})

t.test("an organization's own policy takes the place of the package's, for what is asked from then on", async (t) => {
  const [ann, ben] = [await person('ann7'), await person('ben7')]
  const before = await ask(starter, { roles: ['operator'] })
  const own = { members: [ann.userId.toUpperCase()], notRequester: true }
  t.match(await putPolicy(boss.may('policies:write'), 'rule', own), { name: 'rule', updatedBy: `user:${boss.userId}` })
  const asked = await ask(starter, { roles: ['operator'] })
  const { rules } = await getApproval(ben.may('approvals:read'), asked.approvalId)
  t.match(rules, { policy: 'rule', deciders: [`member:${ann.userId}`], notRequester: true })
  await t.rejects(answer(ben, asked, 'approve'), { code: 'forbidden' })
  t.match(await answer(ann, asked, 'approve'), { status: 'approved' })
  t.match(await answer(ben, before, 'approve'), { status: 'approved' }, 'asked before: the old rules')
  await deletePolicy(boss.may('policies:write'), 'rule')
  await t.rejects(getPolicy(boss.may('policies:read'), 'rule'), { code: 'not_found' })
  const after = await ask(starter, { roles: ['operator'] })
  t.match(await answer(ben, after, 'approve'), { status: 'approved' })
})

t.test('policies that cannot work are refused', async (t) => {
  const put = (policy: object) => putPolicy(boss.may('policies:write'), 'bad', policy)
  const [stranger, nobody] = [beta.members.operator, randomUUID()]
  const reasonOf = async (members: string[]) =>
    await put({ members }).catch((error) => JSON.stringify(error.faults).replaceAll(members[0]!, 'ID'))
  t.match(await reasonOf([nobody]), 'ID is no member')
  t.equal(await reasonOf([stranger]), await reasonOf([nobody]), "another organization's member is nobody here")
  await t.rejects(put({}), { code: 'input_invalid' })
  await t.rejects(put({ members: [boss.userId], quorum: 2 }), { code: 'input_invalid' })
  await t.rejects(put({ roles: ['operator'], expiry: { afterMinutes: 1, action: 'escalate' } }), {
    code: 'input_invalid',
  })
  const escalateTo = { members: [stranger] }
  await t.rejects(put({ roles: ['operator'], expiry: { afterMinutes: 1, action: 'escalate', escalateTo } }), {
    code: 'input_invalid',
  })
  await t.rejects(getPolicy(boss.may('policies:read'), 'bad'), { code: 'not_found' })
})
