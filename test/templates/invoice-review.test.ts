import '../support/decimal-hook.ts'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LLMock } from '@copilotkit/aimock'
import t from 'tap'
import type { ModelResult } from '../../src/engine/machine.ts'
import { type AgentPackage, parsePackage } from '../../src/engine/package.ts'
import { callModel } from '../../src/providers/model.ts'
import { createSandbox } from '../../src/providers/sandbox.ts'
import { readTemplate } from '../../src/templates/index.ts'
import { type Answer, type ApprovalEffect, drive, type ModelEffect } from '../support/drive.ts'
import { type Report, type Row, tableOf } from './reconciliation.ts'

const parsed = parsePackage(await readTemplate('invoice-review'))
const pkg = (parsed as { package: AgentPackage }).package
const folder = join(import.meta.dirname, '../../src/templates/invoice-review')
const sample = JSON.parse(await readFile(join(folder, 'sample/input.json'), 'utf8'))
const sandbox = createSandbox({ threads: 1 })
const server = new LLMock({ port: 0, host: '127.0.0.1' })
server.loadFixtureFile(join(import.meta.dirname, 'fixtures/invoice-review.json'))
await server.start()
t.teardown(() => Promise.all([sandbox.close(), server.stop()]))

t.test('figures that do not add up are read again before a person sees them', async (t) => {
  const run = await review(sample, () => ({ decision: 'approve', reason: 'goods received' }))
  t.equal(run.status, 'completed')
  t.equal(run.score, 1)
  t.same(run.visited.filter((node) => node === 'extract').length, 2)
  const [approval] = run.approvals
  t.match(approval, {
    message: /^Failed checks: 0/,
    proposal: {
      key: 'booking',
      value: { invoice_number: 'NW-2026-0417', tax_total: '321.48', gross_total: '2013.48' },
    },
  })
  t.match(evidence(approval!, 'findings'), [/new bank account/])
  t.ok((evidence(approval!, 'checks') as Row[]).every((check) => check.result === 'passed'))
  const report = run.reports[0] as Report
  t.equal(report.title, 'Invoice NW-2026-0417: approved as proposed')
  t.match(new Map(report.facts.map((fact) => [fact.label, fact.value])), new Map([['Booked values add up', 'yes']]))
  t.equal(tableOf(report, 'lines').length, 3)
})

t.test('what is still wrong after the second reading is shown, and the person edits it', async (t) => {
  const edit = (approval: ApprovalEffect): Answer => {
    const booking = { ...(approval.proposal!.value as Row), tax_total: '321.47', account: '4400' }
    return { decision: 'edit', reason: 'agreed with the supplier', values: booking }
  }
  const run = await review({ ...sample, expected_total: '2000.00' }, edit)
  t.match(run.approvals[0]!.message, /^Failed checks: 1/)
  const failed = (evidence(run.approvals[0]!, 'checks') as Row[]).filter((entry) => entry.result === 'failed')
  t.match(failed, [{ check: 'gross total is the expected total', detail: '2013.48, stated 2000.00' }])
  const facts = new Map((run.reports[0] as Report).facts.map((fact) => [fact.label, fact.value]))
  t.match(facts.get('Booked values add up'), 'no, they differ by 0.01')
  t.equal(facts.get('Account'), '4400')
})

t.test('a rejection is read again with its notes; the last one is final', async (t) => {
  const reason = 'the due date is two weeks after the invoice date'
  const once = await review(sample, (_, count) => ({ decision: count === 0 ? 'reject' : 'approve', reason }))
  t.equal(once.status, 'completed')
  t.match(once.approvals[1]!.proposal, { value: { due_date: '2026-03-16' } })
  const never = await review(sample, () => ({ decision: 'reject', reason: 'not our invoice' }))
  t.equal(never.status, 'rejected')
  t.equal(never.visited.filter((node) => node === 'extract').length, 4)
  t.match(never.reports, [{ title: 'Invoice NW-2026-0417: rejected', summary: 'not our invoice' }])
})

t.test('whatever a model hands over becomes a check, not a crash', async (t) => {
  const { default: check } = await import(join(folder, 'tools/check.js'))
  t.match(
    check({
      invoice:
        '{"supplier":"A","lines":[{"quantity":2,"unit_price":0.1,"amount":0.2}],"net_total":0.2,"tax_total":0,"gross_total":0.2}',
    }),
    {
      checks_passed: false,
      failed_count: 3,
      booking: { supplier: 'A', gross_total: '0.2' },
    },
  )
  const garbled = check({ invoice: { lines: [null, { quantity: 'two' }], net_total: '1,5', gross_total: {} } })
  t.match(garbled.check_notes, /line 2 .*"two" is not a number/)
  t.throws(() => check({ invoice: null }), { message: 'the model extracted no invoice' })
  t.throws(() => check({ invoice: 'no json' }), { message: 'the model extracted no invoice' })
})

function review(input: Row, decide: (approval: ApprovalEffect, count: number) => Answer) {
  return drive(pkg, input, { sandbox, decide, model })
}

function model({ messages, tools }: ModelEffect): Promise<ModelResult> {
  const settings = { baseUrl: `${server.url}/v1`, apiKey: 'unused', model: 'mock', maxTokens: 2000, temperature: 0 }
  const provider = 'openai_compatible'
  return callModel({ ...settings, provider, messages, tools, timeoutMs: 10_000 }, { fetch })
}

function evidence(approval: ApprovalEffect, key: string): unknown {
  return approval.evidence.find((one) => one.key === key)!.value
}
