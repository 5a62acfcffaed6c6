import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type AgentPackage, parsePackage } from '../../src/engine/package.ts'
import { createSandbox } from '../../src/providers/sandbox.ts'
import { readTemplate } from '../../src/templates/index.ts'
import { type Answer, drive } from '../support/drive.ts'
import { accepted, judging, mockModel, set } from '../support/mock-model.ts'
import { type Report, tableOf } from './reconciliation.ts'

const pkg = (parsePackage(await readTemplate('agreement-analysis')) as { package: AgentPackage }).package
const folder = join(import.meta.dirname, '../../src/templates/agreement-analysis')
const sample = JSON.parse(await readFile(join(folder, 'sample/input.json'), 'utf8'))
const { default: split } = await import(join(folder, 'tools/split.js'))
const { default: weigh } = await import(join(folder, 'tools/weigh.js'))
const sandbox = createSandbox({ threads: 2 })
t.teardown(() => sandbox.close())
const model = await mockModel(t)
model.on(judging, accepted)
const isClause = ({ system }: { system: string }) => system.includes('one clause of an agreement')
const isSummary = ({ system }: { system: string }) => system.includes('summary of an agreement analysis')
const risky = /without an upper limit|liable without limit|renews itself|change these terms/
model.on((asked) => isClause(asked) && asked.text.includes('The law of'), 'I would rather not say.')
model.on(isClause, ({ text }) => [
  set('assessment', {
    risk: risky.test(text) ? 'high' : 'low',
    meaning: 'It binds the Supplier.',
    advice: 'Look at it.',
  }),
])
model.on(
  (asked) => isSummary(asked) && asked.text.includes('mention the law'),
  [set('summary', 'Clauses 3, 4, 5 and 6 are high; clause 7 names the law.')],
)
model.on(isSummary, [set('summary', 'Clauses 3, 4, 5 and 6 are high.')])

const analyse = (decide: (count: number) => Answer) =>
  drive(pkg, sample, { sandbox, decide: (_, count) => decide(count), model: model.ask })

t.test('every clause is read, the risks come first, and what was not read is said', async (t) => {
  const run = await analyse(() => ({ decision: 'approve', reason: 'well read' }))
  t.equal(run.status, 'completed', String(run.error?.message))
  const [approval] = run.approvals
  t.match(approval!.message, /^10 clauses, 4 of them with a high risk, 1 that could not be read/)
  const rows = tableOf(run.reports[0] as Report, 'risks')
  t.equal(rows.length, 10)
  t.same(
    rows.slice(0, 4).map((row) => row['clause']),
    ['3', '4', '5', '6'],
  )
  t.match(rows.at(-1), { clause: '7', risk: 'not read' })
  t.equal(run.score, 0.4, 'one clause was not read')
})

t.test('a rejection is written again with its reason; the third is final', async (t) => {
  const once = await analyse((count) => ({ decision: count === 0 ? 'reject' : 'approve', reason: 'mention the law' }))
  t.equal(once.status, 'completed')
  t.match(once.approvals[1]!.proposal, { value: /names the law/ })
  const never = await analyse(() => ({ decision: 'reject', reason: 'not our paper' }))
  t.equal(never.status, 'rejected')
  t.equal(never.approvals.length, 3)
  t.match(never.reports, [{ title: 'Agreement analysis: rejected' }])
})

t.test('clauses are found by numbers, else by paragraphs; too many are refused', async (t) => {
  t.same(
    split({ agreement_text: 'Preamble\n1. One\nfirst\n1.1 Below\n2) Two' }).clauses.map(
      (one: { number: string }) => one.number,
    ),
    ['0', '1', '1.1', '2'],
  )
  t.equal(split({ agreement_text: 'First part.\n\nSecond part.\n  \nThird.' }).clause_count, 3)
  const many = Array.from({ length: 81 }, (_, index) => `${index + 1}. Clause`).join('\n')
  t.throws(() => split({ agreement_text: many }), { message: /there are 81 clauses/ })
  t.equal(split({ agreement_text: `${' '.repeat(50_000)}1. x\n2. y` }).clause_count, 2)
})

t.test('whatever a model hands over becomes a row', async (t) => {
  const clauses = [1, 2, 3, 4].map((number) => ({ number: String(number), title: 't' }))
  const readings = [
    { assessment: { risk: 'enormous' } },
    null,
    { assessment: 'high' },
    { assessment: { risk: 'none', meaning: {} } },
  ]
  const { risks, unread_count } = weigh({ clauses, readings })
  t.equal(unread_count, 3)
  t.same(risks[0], { clause: '4', title: 't', risk: 'none', meaning: '[object Object]', advice: '' })
})
