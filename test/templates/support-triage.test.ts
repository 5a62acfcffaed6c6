import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type AgentPackage, parsePackage } from '../../src/engine/package.ts'
import { createSandbox } from '../../src/providers/sandbox.ts'
import { readTemplate } from '../../src/templates/index.ts'
import { type Answer, drive } from '../support/drive.ts'
import { accepted, judging, mockModel, scoring, set } from '../support/mock-model.ts'

const pkg = (parsePackage(await readTemplate('support-triage')) as { package: AgentPackage }).package
const folder = join(import.meta.dirname, '../../src/templates/support-triage')
const sample = JSON.parse(await readFile(join(folder, 'sample/input.json'), 'utf8'))
const sandbox = createSandbox({ threads: 1 })
t.teardown(() => sandbox.close())
const model = await mockModel(t)
model.on(judging, accepted)
model.on(scoring, JSON.stringify({ answered: 1 }))
const sorting = ({ system }: { system: string }) => system.includes('You sort one support request')
const drafting = ({ system }: { system: string }) => system.includes('You draft the answer')
const sorted = (category: string, urgency = 'normal') => [
  set('category', category),
  set('urgency', urgency),
  set('facts', null),
]
model.on((asked) => sorting(asked) && asked.text.includes('password'), sorted('security', 'high'))
model.on((asked) => sorting(asked) && /10-\d+/.test(asked.text), sorted('billing'))
model.on((asked) => sorting(asked) && asked.text.includes('money'), [['ask_user', { question: 'Which order is it?' }]])
model.on(sorting, sorted('product'))
model.on((asked) => drafting(asked) && asked.text.includes('shorter'), [set('answer', 'You get it back.')])
model.on(
  (asked) => drafting(asked) && asked.text.includes('full refund of the second charge'),
  [set('answer', 'We send the second payment back within five working days. Kind regards')],
)
model.on(
  (asked) => drafting(asked) && asked.system.includes('refund-rules'),
  [
    ['load_skill', { name: 'plain-answers' }],
    ['load_skill', { name: 'refund-rules' }],
  ],
)
model.on(drafting, [set('answer', 'Press the green button. Kind regards')])

const approve = (): Answer => ({ decision: 'approve', reason: 'good' })
const triage = (input: object, decide: (count: number) => Answer = approve, reply?: (prompt: string) => string) =>
  drive(
    pkg,
    { ...input },
    { sandbox, model: model.ask, decide: (_, count) => decide(count), ...(reply ? { reply } : {}) },
  )

t.test('a billing request is answered by the rules of the package’s skills', async (t) => {
  const run = await triage(sample)
  t.equal(run.status, 'completed', String(run.error?.message))
  t.match(run.approvals, [{ nodeId: 'review', proposal: { value: /within five working days/ } }])
  t.match(run.reports, [{ title: 'Support request: billing' }])
})

t.test('what is missing is asked in the chat', async (t) => {
  const run = await triage({ request: 'I want my money back' }, approve, () => 'It is 10-9001')
  t.same(run.prompts, ['Which order is it?'])
  t.equal(run.memory['category'], 'billing')
  t.equal(run.status, 'completed', String(run.error?.message))
})

t.test('a security request goes to a person without a draft', async (t) => {
  const run = await triage({ request: 'Somebody changed my password!' })
  t.match(run.approvals, [{ nodeId: 'handover', policy: { roles: ['tenant-admin'] } }])
  t.equal(run.memory['answer'], undefined)
  t.match(run.reports, [{ title: 'Support request: security', summary: 'No answer was drafted.' }])
})

t.test('a rejected draft is written again; the last rejection ends as rejected', async (t) => {
  const again = await triage(sample, (count) => ({ decision: count === 0 ? 'reject' : 'approve', reason: 'shorter' }))
  t.match(again.approvals[1]!.proposal, { value: 'You get it back.' })
  t.equal(again.status, 'completed')
  const never = await triage({ request: 'How do I print?' }, () => ({ decision: 'reject', reason: 'no' }))
  t.equal(never.status, 'rejected')
  t.equal(never.approvals.length, 3)
})
