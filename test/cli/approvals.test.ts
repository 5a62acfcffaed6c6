import t from 'tap'
import { standing } from '../../src/cli/commands/approvals.ts'

const answer = { decision: 'approve', by: 'user:a', forUserId: null, reason: 'right', decidedAt: '' } as const

t.test('where several people must agree, it is said how many have', async (t) => {
  const answers = [
    { ...answer, stage: 1, stands: true },
    { ...answer, stage: 1, stands: false },
    { ...answer, stage: 2, stands: true },
  ]
  t.equal(standing({ status: 'pending', quorum: 2, stage: 1, answers }), 'pending, 1 of 2 agreed')
  t.equal(standing({ status: 'approved', quorum: 2, stage: 1, answers }), 'approved')
  t.equal(standing({ status: 'pending', quorum: 1, stage: 1, answers: [] }), 'pending')
})
