import '../support/decimal-hook.ts'
import t from 'tap'

type Amounts = [input: string, output: string, fees: string]
type Row = Record<string, unknown>
type Tool = (input: Row) => Row

const tools = '../../src/templates/hourly-tracking/tools'
const tool = async (name: string) => (await import(`${tools}/${name}.js`)).default as Tool
const [processRows, validate, correct, store] = await Promise.all(['process', 'validate', 'correct', 'store'].map(tool))

const row = (source: string, [input_amount, output_amount, fees]: Amounts, currency = 'EUR', id = 'A') => ({
  transaction_id: id,
  [`${source}_id`]: source,
  input_amount,
  output_amount,
  fees,
  currency,
  booked_at: '2026-03-02',
})

/** process, validate and correct over one transaction; an empty side means that it is missing from that file. */
function reconcile(broker: Amounts | null, investor: Amounts | null, currency = 'EUR'): Row {
  const memory: Row = processRows!({
    broker: broker ? [row('broker', broker)] : [],
    investor: investor ? [row('investor', investor, currency)] : [],
  })
  Object.assign(memory, validate!(memory))
  return Object.assign(memory, correct!(memory))
}

const outcomes: [name: string, Amounts, Amounts, problem: string, after: Amounts, source: string][] = [
  [
    'missing in both',
    ['100.00', '98.00', ''],
    ['100.00', '98.00', ''],
    'fees-missing',
    ['100.00', '98.00', '2.00'],
    'computed',
  ],
  [
    'missing in one',
    ['100.00', '98.00', ''],
    ['100.00', '98.00', '2.00'],
    'fees-missing',
    ['100.00', '98.00', '2.00'],
    'investor',
  ],
  [
    'wrong in both',
    ['100.00', '98.00', '3.00'],
    ['100.00', '98.00', '3.00'],
    'fees-wrong',
    ['100.00', '98.00', '2.00'],
    'computed',
  ],
  [
    'wrong in one',
    ['100.00', '98.00', '2.00'],
    ['100.00', '98.00', '1.50'],
    'fees-wrong',
    ['100.00', '98.00', '2.00'],
    'broker',
  ],
  [
    'missing and wrong',
    ['100.00', '98.00', ''],
    ['100.00', '98.00', '1.50'],
    'fees-wrong',
    ['100.00', '98.00', '2.00'],
    'computed',
  ],
  [
    'swapped in both',
    ['98.00', '100.00', '2.00'],
    ['98.00', '100.00', '2.00'],
    'amounts-swapped',
    ['100.00', '98.00', '2.00'],
    'computed',
  ],
  [
    'swapped in one',
    ['98.00', '100.00', '2.00'],
    ['100.00', '98.00', '2.00'],
    'amounts-swapped',
    ['100.00', '98.00', '2.00'],
    'investor',
  ],
  [
    'one off',
    ['105.00', '98.00', '2.00'],
    ['100.00', '98.00', '2.00'],
    'one-source-off',
    ['100.00', '98.00', '2.00'],
    'investor',
  ],
  [
    'one negative',
    ['98.00', '100.00', '-2.00'],
    ['100.00', '98.00', '2.00'],
    'one-source-off',
    ['100.00', '98.00', '2.00'],
    'investor',
  ],
  [
    'a cent off',
    ['100.00', '98.00', '2.01'],
    ['100.00', '98.00', '2.00'],
    'rounding',
    ['100.00', '98.00', '2.00'],
    'computed',
  ],
  [
    'tenths of cents',
    ['100.004', '98.003', '2.001'],
    ['100.00', '98.00', '2.00'],
    'rounding',
    ['100.00', '98.00', '2.00'],
    'computed',
  ],
  [
    'half a cent up',
    ['100.005', '98.005', '2.00'],
    ['100.01', '98.01', '2.00'],
    'rounding',
    ['100.01', '98.01', '2.00'],
    'computed',
  ],
]
for (const [name, broker, investor, problem, after, source] of outcomes) {
  t.test(`a rule corrects: ${name}`, async (t) => {
    const memory = reconcile(broker, investor)
    const [correction] = memory.corrections as Row[]
    t.match(correction, { transaction_id: 'A', problem, source })
    t.same([correction?.input_amount, correction?.output_amount, correction?.fees], after)
    t.equal(correction?.broker_before, broker.map((amount) => amount || 'none').join(' / '), 'the record says what was')
    t.ok(validate!(memory).validation_passed)
  })
}

const open: [name: string, Amounts | null, Amounts | null, currency: string, problem: string, action: string][] = [
  ['no investor', ['100.00', '98.00', '2.00'], null, 'EUR', 'counterpart-missing', 'store'],
  ['no broker, wrong', null, ['100.00', '98.00', '3.00'], 'EUR', 'counterpart-missing', 'exclude'],
  ['currencies', ['100.00', '98.00', '2.00'], ['100.00', '98.00', '2.00'], 'USD', 'currencies-disagree', 'exclude'],
  ['negative', ['98.00', '100.00', '-2.00'], ['98.00', '100.00', '-2.00'], 'EUR', 'negative-amount', 'exclude'],
  ['both off', ['100.00', '97.00', '2.00'], ['100.00', '98.50', '2.00'], 'EUR', 'neither-fits', 'store'],
  ['no fee explains it', ['100.00', '50.00', '2.00'], ['100.00', '50.00', '2.00'], 'EUR', 'neither-fits', 'exclude'],
  ['more than a tenth', ['100.00', '89.99', '10.01'], ['100.00', '89.99', '10.01'], 'EUR', 'implausible-fees', 'store'],
  [
    'one fits, implausibly',
    ['100.00', '80.00', '20.00'],
    ['90.00', '80.00', '5.00'],
    'EUR',
    'implausible-fees',
    'store',
  ],
  ['two truths', ['100.00', '98.00', '2.00'], ['110.00', '108.00', '2.00'], 'EUR', 'sources-disagree', 'store'],
]
for (const [name, broker, investor, currency, problem, action] of open) {
  t.test(`a person decides: ${name}`, async (t) => {
    const memory = reconcile(broker, investor, currency)
    t.same(memory.corrections, [])
    t.match(memory.undecided, [{ transaction_id: 'A', problem }])
    t.match(memory.proposal, [{ transaction_id: 'A', action }])
    t.match(validate!(memory), { validation_passed: false, requires_human_review: true, open_count: 1 })
    const review = { decision: 'approve', reason: 'ok', decidedBy: 'someone', decidedAt: 'now' }
    t.ok(validate!({ ...memory, review }).validation_passed, 'a proposal can be approved as it stands')
  })
}

t.test('equal amounts written differently pass, a tenth in fees too, exactly', async (t) => {
  const memory = reconcile(['1000.0', '900', '0100.00'], ['1000.00', '900.000', '100'])
  t.match(memory, { validation_passed: true, discrepancies: [] })
  t.match(
    reconcile(['0.3', '0.1', '0.2'], ['0.3', '0.1', '0.2']).undecided,
    [{ problem: 'implausible-fees' }],
    'yet exact',
  )
  t.match(reconcile(['0.30', '0.29', '0.01'], ['0.3', '0.29', '0.01']), { validation_passed: true })
  t.match(
    reconcile(
      ['900719925474099.31', '900719925474099.30', '0.01'],
      ['900719925474099.31', '900719925474099.30', '0.01'],
    ),
    {
      validation_passed: true,
    },
  )
})

t.test('a row that cannot be read fails with its place', async (t) => {
  t.throws(() => reconcile(['1,000.00', '1', '1'], null), {
    message: 'broker: transaction A: input_amount is not a decimal number: "1,000.00"',
  })
  t.throws(() => reconcile(['1e9', '1', '1'], null), { message: /input_amount is not a decimal number/ })
  t.throws(() => reconcile(['1.00', '', '1'], null), { message: 'broker: transaction A: output_amount is empty' })
  const twice = [row('broker', ['1', '1', '0']), row('broker', ['1', '1', '0'], 'EUR', ' A')]
  t.throws(() => processRows!({ broker: twice, investor: [] }), { message: 'broker: transaction A appears twice' })
  t.throws(() => processRows!({ broker: [], investor: twice }), { message: 'investor: transaction A appears twice' })
})

t.test('two files that do not belong together fail with a question instead of a hopeless review', async (t) => {
  const rows = (source: string, from: number) =>
    Array.from({ length: 600 }, (_, index) => row(source, ['1', '1', '0'], 'EUR', `${from + index}`))
  const memory = processRows!({ broker: rows('broker', 0), investor: rows('investor', 1000) })
  t.throws(() => validate!(memory), { message: /1200 transactions need a person.*same period/ })
})

t.test('what an editor gets wrong comes back with its place', async (t) => {
  const memory = reconcile(['100.00', '98.00', '2.00'], null)
  const review = { decision: 'edit', reason: 'ok', decidedBy: 'someone', decidedAt: 'now' }
  const [proposed] = memory.proposal as Row[]
  const edited = (...proposal: Row[]) => validate!({ ...memory, review, proposal })
  const refused: [Row[], RegExp][] = [
    [[{ ...proposed, fees: '2.01' }], /A: 100.00 is not 98.00 \+ 2.01/],
    [[{ ...proposed, fees: '' }], /A has an empty value/],
    [[{ ...proposed, currency: '' }], /A has an empty value/],
    [[proposed!, proposed!], /A appears 2 times/],
    [[proposed!, { ...proposed, transaction_id: 'B' }], /B is not one of the open rows/],
  ]
  for (const [proposal, message] of refused) {
    const verdict = edited(...proposal)
    t.match(verdict, { validation_passed: false, requires_human_review: true, edit_faults: message })
  }
  t.ok(edited({ ...proposed, input_amount: '100.5', fees: '2.50' }).validation_passed)
  t.ok(edited({ ...proposed, action: 'exclude', fees: '' }).validation_passed)
  t.ok(edited().validation_passed, 'a row taken out is excluded')
  t.match(store!({ ...memory, review, proposal: [], sources: [] }), { stored_count: 0, excluded_count: 1 })
})

t.test('notes are followed, and notes without an instruction withdraw', async (t) => {
  const memory = reconcile(['100.00', '98.00', '2.00'], ['110.00', '108.00', '2.00'], 'USD')
  const after = (reason: string) => {
    const review = { decision: 'reject', reason, decidedBy: 'someone', decidedAt: 'now' }
    return correct!({ ...memory, review })
  }
  t.match(after('Please exclude A.').proposal, [{ action: 'exclude', basis: /notes/ }])
  t.match(after('take investor A').proposal, [{ action: 'store', input_amount: '110.00', currency: 'USD' }])
  t.match(after('Use the broker for all;').proposal, [{ action: 'store', input_amount: '100.00', currency: 'EUR' }])
  const withdrawn = after('I do not believe a word of it')
  t.match(withdrawn.proposal, [{ action: 'exclude', basis: /withdrawn/ }])
  t.match(withdrawn.notes_applied, /withdrawn/)
  t.match(withdrawn.rejections, [{ reason: 'I do not believe a word of it', decidedBy: 'someone' }])
})
