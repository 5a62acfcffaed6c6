import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { type AgentPackage, parsePackage } from '../../src/engine/package.ts'
import { readCsv } from '../../src/providers/csv.ts'
import { createSandbox } from '../../src/providers/sandbox.ts'
import { fixable, generateSample, open, type Sample } from '../../src/templates/hourly-tracking/sample/generate.ts'
import { readTemplate } from '../../src/templates/index.ts'
import { type Answer, type ApprovalEffect, type Driven, drive } from '../support/drive.ts'
import {
  centsOf,
  ledgerSums,
  linesOf,
  type Report,
  type Row,
  reportedIds,
  settledIds,
  sumsOf,
  tableOf,
  totalsOf,
} from './reconciliation.ts'

const pkg = await packageOf('hourly-tracking')
const sandbox = createSandbox({ threads: 1 })
t.teardown(() => sandbox.close())
const approve = (): Answer => ({ decision: 'approve', reason: 'checked with the desk' })

t.test(
  'the committed sample is what the generator makes, with every fault and a morning of work for a person',
  async (t) => {
    const { broker, investor, expected } = generateSample({ rows: 5000, seed: 1 })
    const folder = join(import.meta.dirname, '../../src/templates/hourly-tracking/sample')
    t.equal(await readFile(join(folder, 'broker.csv'), 'utf8'), broker)
    t.equal(await readFile(join(folder, 'investor.csv'), 'utf8'), investor)
    t.ok([...fixable, ...open].every((kind) => expected.kinds[kind].length >= 3))
    const needPerson = open.flatMap((kind) => expected.kinds[kind]).length
    t.ok(needPerson >= 10 && needPerson <= 25, `${needPerson} rows need a person`)
  },
)

t.test('5,000 rows: rules correct, a person approves, the totals are right to the cent', async (t) => {
  const sample = generateSample({ rows: 5000, seed: 1 })
  const run = await reconcile(sample, approve)
  t.comment(`${Math.round(run.toolMs)} ms in the sandbox`)
  t.equal(run.status, 'completed')
  t.equal(run.score, 1)
  t.equal(run.approvals.length, 1)
  const report = reportOf(run)

  const problems = tableOf(report, 'corrections').concat(tableOf(report, 'decisions'))
  for (const kind of [...fixable, ...open]) {
    const found = problems.filter((row) => row.problem === kind).map((row) => row.transaction_id)
    t.same(new Set(found), new Set(sample.expected.kinds[kind]), kind)
  }
  t.same(totalsOf(report), sumsOf(sample, storedBy(run.approvals[0]!)))
  t.same(ledgerSums(report), totalsOf(report), 'the ledger adds up to the totals')
  t.same(
    tableOf(report, 'sources').map((row) => row.rows),
    [linesOf(sample.broker).length, linesOf(sample.investor).length],
  )
  t.same(settledIds(report), reportedIds(sample), 'every transaction exactly once')
})

t.test('what the sources agree on is booked as they say it', async (t) => {
  const sample = generateSample({ rows: 400, seed: 2 })
  const report = reportOf(await reconcile(sample, approve))
  const investors = new Map(linesOf(sample.investor).map((row) => [row.transaction_id, row]))
  const booked = new Map(tableOf(report, 'transactions').map((row) => [row.transaction_id, row]))
  let agreed = 0
  for (const row of linesOf(sample.broker)) {
    const other = investors.get(row.transaction_id)
    if (!other || row.currency !== other.currency || String(centsOf(row)) !== String(centsOf(other))) continue
    const [input, output, fees] = centsOf(row)
    if (input !== output + fees || fees < 0n || fees * 10n > input) continue
    const stored = booked.get(row.transaction_id)!
    t.same(centsOf(stored), centsOf(row))
    t.equal(stored.origin, 'as reported')
    agreed += 1
  }
  t.ok(agreed > 300)
})

t.test('a person edits: their values are booked, their exclusions left out, their name and reason kept', async (t) => {
  const sample = generateSample({ rows: 300, seed: 3 })
  const edit = (approval: ApprovalEffect): Answer => {
    const [first, second, ...rest] = approval.proposal!.value as Row[]
    const changed = {
      ...first,
      action: 'store',
      currency: 'EUR',
      input_amount: '50.5',
      output_amount: '50',
      fees: '0.50',
    }
    return {
      decision: 'edit',
      reason: 'called the broker',
      values: [changed, { ...second, action: 'exclude' }, ...rest],
    }
  }
  const run = await reconcile(sample, edit)
  t.equal(run.status, 'completed')
  const report = reportOf(run)
  const [first, second] = run.approvals[0]!.proposal!.value as Row[]
  const decisions = new Map(tableOf(report, 'decisions').map((row) => [row.transaction_id, row]))
  t.match(decisions.get(first!.transaction_id), {
    decision: 'edited',
    input_amount: '50.50',
    decided_by: 'user:olga',
    reason: 'called the broker',
  })
  t.equal(decisions.get(second!.transaction_id)?.decision, 'excluded')
  t.ok(tableOf(report, 'excluded').some((row) => row.transaction_id === second!.transaction_id))
  t.same(settledIds(report), reportedIds(sample), 'every transaction exactly once')
})

t.test('an edit that breaks the rule comes back with its place before anything is stored', async (t) => {
  const answers = (approval: ApprovalEffect, count: number): Answer => {
    const values = structuredClone(approval.proposal!.value) as Row[]
    if (count > 0) return approve()
    const row = values.find((row) => row.action === 'store')!
    row.fees = '0.01'
    return { decision: 'edit', reason: 'typing too fast', values }
  }
  const broken = (approval: ApprovalEffect, count: number) =>
    count < 2
      ? answers(approval, count)
      : ({ decision: 'edit', reason: 'now right', values: excludeAll(approval) } as Answer)
  const run = await reconcile(generateSample({ rows: 300, seed: 3 }), broken)
  t.equal(run.approvals.length, 3, 'approving the broken table again does not help')
  t.match(run.approvals[1]!.message, /cannot be stored: T\d+: [\d.]+ is not [\d.]+ \+ 0.01/)
  t.equal(run.status, 'completed')
  t.ok(tableOf(reportOf(run), 'decisions').every((row) => row.decision === 'excluded'))
})

t.test('a rejection goes back to correction with its notes; the next proposal follows them', async (t) => {
  const sample = generateSample({ rows: 300, seed: 4 })
  const id = sample.expected.kinds['sources-disagree'][0]!
  const notes = `the broker had an outage; take investor ${id}`
  const run = await reconcile(sample, (_, count) => (count === 0 ? { decision: 'reject', reason: notes } : approve()))
  t.equal(run.status, 'completed')
  t.equal(run.approvals.length, 2)
  const [before, after] = run.approvals.map((approval) => rowOf(approval, id))
  const investor = linesOf(sample.investor).find((row) => row.transaction_id === id)!
  t.not(before!.input_amount, after!.input_amount)
  t.same(centsOf(after!), centsOf(investor))
  t.match(run.approvals[1]!.message, /Your notes were applied: take investor 1 of \d+ rows/)
  const report = reportOf(run)
  t.match(tableOf(report, 'rejections'), [{ reason: notes, decidedBy: 'user:olga' }])
  t.match(totalsOf(report), sumsOf(sample, storedBy(run.approvals[1]!)))
  t.same(settledIds(report), reportedIds(sample), 'every transaction exactly once')
})

t.test('the third rejection is final: rejected, nothing stored, and a report that says why', async (t) => {
  const run = await reconcile(generateSample({ rows: 300, seed: 5 }), (_, count) => ({
    decision: 'reject',
    reason: `no, for the ${['first', 'second', 'third'][count]} time`,
  }))
  t.equal(run.status, 'rejected')
  t.equal(run.approvals.length, 3)
  t.notOk(run.visited.includes('store'))
  const report = reportOf(run)
  t.equal(report.title, 'Hourly tracking: rejected')
  t.match(tableOf(report, 'rejections'), [{ reason: /first/ }, { reason: /second/ }, { reason: /third/ }])
  t.ok(tableOf(report, 'undecided').length > 0)
})

t.test('without a fault nobody is asked', async (t) => {
  const sample = generateSample({ rows: 200, seed: 6, faultRate: 0 })
  const run = await reconcile(sample)
  t.equal(run.status, 'completed')
  t.same(run.visited, ['fetch', 'process', 'validate', 'store', 'publish'])
  t.same(totalsOf(reportOf(run)), sumsOf(sample, []))
})

t.test('faults that rules fix need nobody either', async (t) => {
  const sample = generateSample({ rows: 300, seed: 7 })
  const disputed = open.flatMap((kind) => sample.expected.kinds[kind])
  const without = (csv: string) =>
    csv
      .split('\n')
      .filter((line) => !disputed.includes(line.split(',')[0]!))
      .join('\n')
  const run = await reconcile({ ...sample, broker: without(sample.broker), investor: without(sample.investor) })
  t.equal(run.status, 'completed')
  t.same(run.approvals, [])
  t.same(totalsOf(reportOf(run)), sumsOf(sample, []))
})

t.test('a file without rows and ids that differ only in spaces end as a failure that says so', async (t) => {
  const { broker, investor } = generateSample({ rows: 200, seed: 8 })
  const doubled = `${broker.trimEnd()}\n${linesOf(broker)[0]!.transaction_id} ,B1,1.00,1.00,0.00,EUR,2026-03-02\n`
  const run = await drive(
    pkg,
    { broker: await rowsOf('broker', doubled), investor: await rowsOf('investor', investor) },
    { sandbox },
  )
  t.equal(run.status, 'failed')
  t.match(run.error?.message, /broker: transaction T00001 appears twice/)
  const empty = await drive(pkg, { broker: [], investor: await rowsOf('investor', investor) }, { sandbox })
  t.match(empty, { status: 'failed', error: { message: /the broker file has no transactions/ } })
})

async function packageOf(name: string): Promise<AgentPackage> {
  const parsed = parsePackage(await readTemplate(name))
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
  return parsed.package
}

async function reconcile(
  sample: Sample,
  decide?: (approval: ApprovalEffect, count: number) => Answer,
): Promise<Driven> {
  const input = { broker: await rowsOf('broker', sample.broker), investor: await rowsOf('investor', sample.investor) }
  return drive(pkg, input, { sandbox, ...(decide && { decide }) })
}

/** As a session reads an upload: by the package's own schema. */
function rowsOf(name: string, csv: string): Promise<Row[]> {
  const input = pkg.manifest.input as { properties: Record<string, { contentSchema: object }> }
  return readCsv(Readable.from([Buffer.from(csv)]), `${name}.csv`, input.properties[name]!.contentSchema)
}

function reportOf(run: Driven): Report {
  t.equal(run.reports.length, 1, 'exactly one report')
  return run.reports[0] as Report
}

function rowOf(approval: ApprovalEffect, id: string): Row {
  return (approval.proposal!.value as Row[]).find((row) => row.transaction_id === id)!
}

function storedBy(approval: ApprovalEffect): Row[] {
  return (approval.proposal!.value as Row[]).filter((row) => row.action === 'store')
}

function excludeAll(approval: ApprovalEffect): Row[] {
  return (approval.proposal!.value as Row[]).map((row) => ({ ...row, action: 'exclude' }))
}
