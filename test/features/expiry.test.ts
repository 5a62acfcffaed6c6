import { pino } from 'pino'
import t, { type Test } from 'tap'
import { expireApproval } from '../../src/features/approvals/expire.ts'
import { getApproval } from '../../src/features/approvals/service.ts'
import { putSettings } from '../../src/features/policies/service.ts'
import { TenantContext } from '../../src/tenancy/context.ts'
import { startExpiries } from '../../src/worker/expiries.ts'
import { type Asked, court } from '../support/court.ts'
import { seedTenant } from '../support/database.ts'
import { workplace } from '../support/work.ts'

// What happens when nobody decides in time: once, whoever does it, and never more than the organization allows.
const place = await workplace(t)
const { admin, doors } = place
const acme = await seedTenant(doors, 'acme')
const beta = await seedTenant(doors, 'beta')
const { person, ask, answer, passTime } = court(place, acme)
await place.work(t)
const [olga, ben] = [await person('olga'), await person('ben')]
const boss = await person('boss', ['tenant-admin'])
const starter = await person('stan', ['builder'])
const reader = () => boss.may('approvals:read')

const expire = ({ approvalId }: Asked) =>
  expireApproval(TenantContext.openSystem(place.worker, acme.tenantId, 'approval-expiry'), approvalId, new Date())
const rejecting = { roles: ['operator'], expiry: { afterMinutes: 5, action: 'reject' } }
const approving = { roles: ['operator'], expiry: { afterMinutes: 5, action: 'approve' } }
const settings = (approveOnExpiry: boolean) => putSettings(boss.may('policies:write'), { approveOnExpiry })
const log = pino({ level: 'silent' })
const startJob = (t: Test) => {
  const job = startExpiries({ database: place.worker, doors, pollMs: 20, log })
  t.teardown(() => job.stop())
}

t.test('what nobody decided in time is rejected, and its run goes on', async (t) => {
  const asked = await ask(starter, rejecting)
  t.equal(await expire(asked), null, 'nothing before its time')
  const { expiresAt, rules } = await getApproval(reader(), asked.approvalId)
  t.ok(Math.abs(Date.parse(expiresAt!) - Date.now() - 300_000) < 60_000)
  t.equal(rules.whenExpired, 'reject')
  await passTime(asked)
  startJob(t)
  await place.arrives(asked.runId, 'rejected')
  t.match(await getApproval(reader(), asked.approvalId), {
    status: 'rejected',
    decidedBy: 'system:approval-expiry',
    reason: /nobody decided in time/,
    answers: [{ by: 'system:approval-expiry', decision: 'reject' }],
  })
  const types = await place.eventsOf(asked.sessionId)
  t.same(
    types.filter((type) => type.startsWith('approval_')),
    ['approval_requested', 'approval_expired', 'approval_decided'],
  )
  const audit = await admin.query(`select actor from app.audit_entries where action = 'approvals.expire'`)
  t.same(audit.rows, [{ actor: 'system:approval-expiry' }])
})

t.test('it is approved only where the organization allows it, and only as it was asked', async (t) => {
  const refused = await ask(starter, approving)
  await passTime(refused)
  t.equal(await expire(refused), 'reject', 'nobody has allowed it')
  await settings(true)
  const allowed = await ask(starter, approving)
  await passTime(allowed)
  t.equal(await expire(allowed), 'approve')
  await place.arrives(allowed.runId, 'completed')
  const edited = await ask(starter, { ...approving, quorum: 2 })
  await answer(olga, edited, 'edit', { values: 1_000_000 })
  await passTime(edited)
  t.equal(await expire(edited), 'reject', "one person's edit that nobody agreed to")
  await settings(false)
  const late = await ask(starter, approving)
  await passTime(late)
  t.equal(await expire(late), 'reject', 'a setting holds at once')
})

t.test('a deadline is a deadline, whoever comes first afterwards', async (t) => {
  const asked = await ask(starter, rejecting)
  await passTime(asked)
  await t.rejects(answer(olga, asked, 'approve'), { code: 'approval_expired' })
  t.notOk((await getApproval(olga.may('approvals:read'), asked.approvalId)).mayDecide)
  t.equal(await expire(asked), 'reject')
  await t.rejects(answer(olga, asked, 'approve'), { code: 'already_decided' })
})

t.test('a decision and the deadline at the same moment: one of them', async (t) => {
  for (let round = 0; round < 5; round += 1) {
    const asked = await ask(starter, rejecting)
    const decision = answer(olga, asked, 'approve').then(
      () => 'approved',
      (error) => error.code,
    )
    await passTime(asked)
    const [decided, expired] = await Promise.all([decision, expire(asked)])
    const { status, answers } = await getApproval(reader(), asked.approvalId)
    t.equal(answers.length, 1)
    t.same([decided, expired], status === 'approved' ? ['approved', null] : [decided, 'reject'])
    if (status === 'rejected') t.match(decided, /approval_expired|already_decided/)
  }
})

t.test('two workers do it once', async (t) => {
  const all = await Promise.all(Array.from({ length: 3 }, () => ask(starter, rejecting)))
  for (const asked of all) await passTime(asked)
  startJob(t)
  startJob(t)
  for (const asked of all) await place.arrives(asked.runId, 'rejected')
  for (const { approvalId, sessionId } of all) {
    const { answers } = await getApproval(reader(), approvalId)
    t.equal(answers.length, 1)
    const types = await place.eventsOf(sessionId)
    t.equal(types.filter((type) => type === 'approval_expired').length, 1)
  }
})

t.test('an escalated question is decided by the second stage, which begins anew', async (t) => {
  const escalateTo = { roles: ['tenant-admin'], afterMinutes: 7, action: 'reject' }
  const asked = await ask(starter, {
    ...{ roles: ['operator'], quorum: 2, expiry: { afterMinutes: 5, action: 'escalate', escalateTo } },
  })
  await answer(olga, asked, 'approve')
  await passTime(asked)
  const [one, other] = await Promise.all([expire(asked), expire(asked)])
  t.same([one, other].sort(), ['escalate', null].sort(), 'once')
  const escalated = await getApproval(reader(), asked.approvalId)
  t.match(escalated, { status: 'pending', stage: 2, quorum: 1, mayDecide: true })
  t.match(escalated.rules, { deciders: ['role:tenant-admin'], whenExpired: 'reject' })
  t.ok(Date.parse(escalated.expiresAt!) > Date.now())
  await t.rejects(answer(ben, asked, 'approve'), { code: 'forbidden' }, 'the first stage is over')
  t.match(await answer(boss, asked, 'approve'), { status: 'approved' })
  await place.arrives(asked.runId, 'completed')
  t.ok((await place.eventsOf(asked.sessionId)).includes('approval_escalated'))

  const ended = await ask(starter, { roles: ['operator'], expiry: { afterMinutes: 5, action: 'escalate', escalateTo } })
  for (const outcome of ['escalate', 'reject']) {
    await passTime(ended)
    t.equal(await expire(ended), outcome)
  }
  await place.arrives(ended.runId, 'rejected')
})

t.test('the door gives one of each tenant in turn, only what is due, nothing of a suspended one', async (t) => {
  const asked = await ask(starter, rejecting)
  const copy = `insert into app.approvals (tenant_id, session_id, run_id, call, node_id, title, payload, payload_hash, expires_at)
    select tenant_id, session_id, run_id, 'copy ' || n, node_id, title, payload, payload_hash, now() - n * interval '1 minute'
      from app.approvals, generate_series(-1, 30) n where id = $1 and n <> 0`
  await admin.query(copy, [asked.approvalId])
  const theirs = court(place, beta)
  const other = await theirs.ask(await theirs.person('bob', ['builder']), rejecting)
  await theirs.passTime(other)
  const due = await doors.dueApprovals(5)
  t.equal(due.length, 5)
  t.equal(due.findIndex(({ approvalId }) => approvalId === other.approvalId) < 2, true, 'thirty of acme are no hurdle')
  t.equal((await doors.dueApprovals(100)).length, 31, 'what is not due yet is left alone')
  await doors.setTenantStatus(acme.organizationId, 'suspended', 'platform:test')
  t.same(await doors.dueApprovals(100), [{ tenantId: beta.tenantId, approvalId: other.approvalId }])
  const foreign = TenantContext.openSystem(place.worker, acme.tenantId, 'approval-expiry')
  t.equal(await expireApproval(foreign, other.approvalId, new Date()), null, "another tenant's question is none")
  await doors.setTenantStatus(acme.organizationId, 'active', 'platform:test')
})
