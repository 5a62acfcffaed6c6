import { preparePage } from '../../db/prepared.ts'

export const listRows = preparePage()(
  'memberships.created_at',
  (db) =>
    db
      .selectFrom('memberships')
      .leftJoin('users', 'users.user_id', 'memberships.user_id')
      .select([
        'memberships.user_id',
        'memberships.status',
        'memberships.roles',
        'memberships.created_at',
        'users.email',
        'users.name',
        'users.last_seen_at',
      ]),
  {},
  'memberships.user_id',
)
