import { sql } from 'kysely'
import { prepare } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'
import { grants, roles } from '../../tenancy/permissions.ts'

// The rows of approval_decisions, and who may add one.

/** More would be people who edit in turns; the question can still be rejected by a cancelled run, or expire. */
export const mostAnswers = 100

const decidingRoles = roles.filter((role) => grants([role], 'approvals:write'))

/** The person behind the row `given` of approval_decisions; null when it was the platform. */
export const giver = sql<string>`substring(given.actor from '^user:([0-9a-f-]{36})$')::uuid`

/** Every answer to a question, oldest first, and whether whoever gave it is still a member. */
export const listAnswers = prepare<{ approvalId: string }>()((db, value) =>
  db
    .selectFrom('approval_decisions as given')
    .leftJoin('memberships', (join) =>
      join.on('memberships.user_id', '=', giver).on('memberships.status', '=', 'active'),
    )
    .select([
      'given.id',
      'given.decision',
      'given.actor',
      'given.for_user_id',
      'given.stage',
      'given.payload_hash',
      'given.stands_for',
      'given.reason',
      'given.decided_at',
      sql<boolean>`memberships.user_id is not null`.as('member'),
    ])
    .where('given.approval_id', '=', value.approvalId)
    .orderBy('given.decided_at')
    .orderBy('given.id')
    .limit(sql.lit(101)),
)
export type AnswerRow = Awaited<ReturnType<typeof listAnswers>>[number]

/** The person in whose place an answer stands, as an actor. */
export function placeOf({ actor, for_user_id }: Pick<AnswerRow, 'actor' | 'for_user_id'>): string {
  return for_user_id === null ? actor : `user:${for_user_id}`
}

/**
 * The places in which this person may answer this question now, their own first: what the policy says, as memberships
 * and absences are at this moment. `now` is the database's clock, after every lock that was waited for.
 */
export const listPlaces = prepare<{ approvalId: string; userId: string }>()((db, value) =>
  db
    .selectFrom('approvals')
    .innerJoinLateral(
      sql<{ seat_id: string; roles: string[]; names: string[] }>`seats_of(${value.userId}::uuid)`.as('seat'),
      (join) => join.onTrue(),
    )
    .select(['seat.seat_id', sql<Date>`clock_timestamp()`.as('now')])
    .where('approvals.id', '=', value.approvalId)
    .where(mayAnswer(value.userId)),
)

/** Of the row `approvals` and the row `seat` of seats_of. Whoever may not decide at all lends nobody a place. */
export function mayAnswer(userId: string) {
  return sql<boolean>`may_answer(approvals, ${userId}::uuid, seat.seat_id, seat.names) and seat.roles && ${decidingRoles}::text[]`
}

export async function insertAnswer(
  tx: TenantQueries,
  row: {
    approval_id: string
    stage: number
    decision: string
    for_user_id: string | null
    payload_hash: string
    stands_for: string
    edited: unknown
    reason: string
  },
): Promise<string> {
  const edited = row.edited === undefined ? null : JSON.stringify(row.edited)
  const inserted = tx.insertInto('approval_decisions').values({ ...row, edited })
  return (await inserted.returning('id').executeTakeFirstOrThrow()).id
}
