import { type Fault, fault } from './fault.ts'

const approvals = 'test/features/approvals.test.ts'
const delegation = 'test/features/delegation.test.ts'
const expiry = 'test/features/expiry.test.ts'
const requester = 'test/features/requester.test.ts'
const notifications = 'test/features/notifications.test.ts'
const deliveries = 'test/features/deliveries.test.ts'
const migration = 'sql/migrations/0014_approvals.sql'
const decide = 'src/features/approvals/decide.ts'
const expire = 'src/features/approvals/expire.ts'

/** Who decides, to what, in whose place; and who is told of it. */
export const approvalFaults: readonly Fault[] = [
  fault('one person is enough', approvals, /a quorum is different people/, [
    decide,
    '} else if (agreed.length >= quorum) {',
    '} else if (agreed.length >= 1) {',
  ]),
  fault(
    'one person counts twice',
    approvals,
    /nobody agrees with themselves/,
    [decide, 'const taken = new Set(standing.map(placeOf))', 'const taken = new Set<string>()'],
    [decide, 'if (!free || standing.some((', 'if (!free || standing.slice(9).some(('],
  ),
  fault('a place counts twice', delegation, /the place is free again, and counts once/, [
    decide,
    'return agree.filter((one) => agree.find((other) => placeOf(other) === placeOf(one)) === one)',
    'return agree',
  ]),
  fault(
    'a decision serves twice',
    'test/features/runs-again.test.ts',
    /is not done again because a later step failed/,
    [
      'src/features/runs/fork.ts',
      "and s.status = 'completed' and s.finished_at > a.decided_at",
      "and r.status = 'completed' and s.status = 'completed' and s.finished_at > a.decided_at",
    ],
  ),
  fault('who has left still counts', approvals, /who has left no longer counts/, [
    decide,
    'stands_for === hash && member && (decision',
    'stands_for === hash && (decision',
  ]),
  fault('an answer to something else than what is asked', approvals, /an edit is what the others must agree to/, [
    decide,
    'if (standingHash(approval) !== decision.payloadHash) {',
    'if (decision.payloadHash.length !== 64) {',
  ]),
  fault('what was agreed before an edit still counts', approvals, /voids what was agreed before/, [
    decide,
    'stage === approval.stage && stands_for === hash && member',
    'stage === approval.stage && hash && stands_for && member',
  ]),
  fault('an edit back brings old agreement back', approvals, /voids what was agreed before/, [
    decide,
    '? decision.payloadHash : hashAfter(decision.payloadHash, edited)',
    '? decision.payloadHash : edited === 42 ? approval.payload_hash : hashAfter(decision.payloadHash, edited)',
  ]),
  fault('the requester decides', approvals, /whoever the run works for does not decide it/, [
    migration,
    'and not ((p_approval).not_requester and (p_approval).requesters && array[p_actor, p_seat]);',
    'and not ((p_approval).not_requester and (p_approval).requesters && array[]::uuid[]);',
  ]),
  fault('the requester decides in another place', delegation, /nobody.s place, and nobody in theirs/, [
    migration,
    '(p_approval).requesters && array[p_actor, p_seat])',
    '(p_approval).requesters && array[p_seat])',
  ]),
  fault('somebody decides in the place of the requester', delegation, /nobody.s place, and nobody in theirs/, [
    migration,
    '(p_approval).requesters && array[p_actor, p_seat])',
    '(p_approval).requesters && array[p_actor])',
  ]),
  fault('a trigger hides its owner', requester, /a trigger works for its owner/, [
    migration,
    "    when 'trigger' then select t.owner into v_id from app.triggers t where t.id = split_part(v_actor, ':', 2)::uuid;\n",
    '',
  ]),
  fault('a run hides who is behind it', requester, /a run that another run started/, [
    migration,
    "    when 'run' then select r.requested_by into v_id from app.runs r where r.id = split_part(v_actor, ':', 2)::uuid;\n",
    '',
  ]),
  fault(
    'service accounts decide',
    approvals,
    /a service account does not/,
    [
      migration,
      "   where m.status = 'active' and m.kind = 'user'\n     and m.user_id in",
      "   where m.status = 'active'\n     and m.user_id in",
    ],
    [
      migration,
      "me.user_id = p_user and me.status = 'active' and me.kind = 'user')",
      "me.user_id = p_user and me.status = 'active')",
    ],
  ),
  fault('a delegate decides for whoever may not', delegation, /a delegate never gains more/, [
    'src/features/approvals/answers.ts',
    ' and seat.roles && ',
    ' and seat.roles is not null or false and seat.roles && ',
  ]),
  fault('a delegate decides for ever', delegation, /a delegate decides in the place of who is away/, [
    migration,
    'where a.delegate_id = p_user and a.starts_at <= now() and now() < a.ends_at)',
    'where a.delegate_id = p_user)',
  ]),
  fault('a place is answered twice', delegation, /a place is one place/, [
    decide,
    'const free = places.find((',
    'const free = places[0] ?? places.find((',
  ]),
  fault('time approves by itself', expiry, /only where the organization allows it/, [
    expire,
    'approval.edited_hash === null && (await mayApproveOnExpiry(tx))',
    'approval.edited_hash === null',
  ]),
  fault('time approves what one person changed', expiry, /only where the organization allows it/, [
    expire,
    "asked === 'approve' && approval.edited_hash === null && (await",
    "asked === 'approve' && (await",
  ]),
  fault('a deadline is looked at before the lock only', expiry, /an escalated question/, [
    expire,
    'if (!approval || (await findDue(tx, { id })).length === 0) return null',
    'if (!approval) return null',
  ]),
  fault('an answer after the deadline', expiry, /a deadline is a deadline/, [
    decide,
    'if (approval.expires_at !== null && approval.expires_at <= first.now) {',
    'if (approval.expires_at !== null && !first.now) {',
  ]),
  fault('a secret is kept for whoever comes next', notifications, /a secret is shown once/, [
    'src/worker/deliveries.ts',
    'const key = await vault.open(',
    'const key = (globalThis as { key?: string }).key ??= await vault.open(',
  ]),
  fault('addresses inside are saved', notifications, /refused when they are saved/, [
    'src/providers/webhook-sender.ts',
    '      await checkAddress(url, { allow })\n',
    '      void checkAddress\n',
  ]),
  fault('addresses inside are connected to', notifications, /and at the connection/, [
    'src/providers/webhook-sender.ts',
    'createOutgoing({ allow, maxBytes: 64 * 1024 })',
    `createOutgoing({ allow: [...allow, ...Array.from({ length: 65536 }, (_, port) => '127.0.0.1:' + port)], maxBytes: 64 * 1024 })`,
  ]),
  fault('one tenant takes every place of the outbox', deliveries, /who is slow holds up only themselves/, [
    migration,
    'limit greatest(p_tenant_limit - (',
    'limit greatest(p_limit - 0 * (',
  ]),
  fault('a delivery is written by whoever lost it', deliveries, /can write nothing any more/, [
    'src/features/notifications/outbox.ts',
    "      .where('id', '=', id)\n      .where('status', '=', 'pending')\n      .where('attempts', '=', attempt)\n      .executeTakeFirstOrThrow()",
    "      .where('id', '=', id)\n      .where('status', '=', 'pending')\n      .executeTakeFirstOrThrow()",
  ]),
  fault('a run waits for whoever deletes an endpoint', notifications, /holds up no run/, [
    migration,
    '     for key share of e skip locked;\n',
    '     ;\n',
  ]),
]
