import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type AgentPackage, parsePackage } from '../../src/engine/package.ts'
import { createSandbox } from '../../src/providers/sandbox.ts'
import { readTemplate } from '../../src/templates/index.ts'
import { type Answer, drive } from '../support/drive.ts'
import { mockModel, set } from '../support/mock-model.ts'

const pkg = (parsePackage(await readTemplate('log-monitor')) as { package: AgentPackage }).package
const folder = join(import.meta.dirname, '../../src/templates/log-monitor')
const sample = JSON.parse(await readFile(join(folder, 'sample/input.json'), 'utf8'))
const sandbox = createSandbox({ threads: 2 })
t.teardown(() => sandbox.close())
const model = await mockModel(t)
model.on(
  ({ text }) => text.includes('payment provider'),
  [set('verdict', 'incident'), set('explanation', 'Seven of 61 lines are errors of checkout.')],
)
model.on(() => true, [set('verdict', 'calm'), set('explanation', 'Nothing unusual.')])

const decide = (): Answer => ({ decision: 'approve', reason: 'the provider confirms it' })
const watch = (input: object) => drive(pkg, { ...input }, { sandbox, decide, model: model.ask })

t.test('three counts run side by side, come together once, and an incident is put before a person', async (t) => {
  const run = await watch(sample)
  t.equal(run.status, 'completed')
  t.same(run.memory['errors'], {
    total: 7,
    share: '11.7 %',
    top: [{ service: 'checkout', message: 'payment provider does not answer', times: 7 }],
  })
  t.match(run.memory['latency'], { measured: 60, slow: 7, slowFromMs: 1000 })
  t.match(run.memory['sign_ins'], { refused: 8, top: [{ times: 4 }, { times: 4 }] })
  t.equal(run.memory['unread_lines'], 1)
  t.equal(run.visited.filter((node) => node === 'assess').length, 1)
  t.match(run.approvals, [{ message: 'Seven of 61 lines are errors of checkout.' }])
  t.match(run.reports, [{ title: 'Log check: incident' }])
  t.equal(run.score, 1)
})

t.test('a calm log asks nobody', async (t) => {
  const run = await watch({ log: '2026-03-02T10:00:00Z INFO catalog "page served" 40ms\n' })
  t.equal(run.status, 'completed')
  t.equal(run.approvals.length, 0)
  t.match(run.reports, [{ title: 'Log check: nothing unusual' }])
})

t.test('a log that cannot be read fails readably', async (t) => {
  const run = await watch({ log: 'hello\n' })
  t.equal(run.status, 'failed')
  t.match(run.error, { message: /no line of the log can be read/ })
})

t.test('a model that fails leaves the decision to a person, with the figures', async (t) => {
  const away = async () => ({ ok: false, error: { code: 'model_unavailable', message: 'away' } }) as const
  const run = await drive(pkg, sample, { sandbox, decide, model: away })
  t.equal(run.status, 'completed')
  t.equal(run.approvals.length, 1)
  t.match(run.reports, [{ summary: /no model explained them/ }])
})
