import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

// Makes the two files of the pilot with known faults. It shares no code with the tools: amounts are BigInt cents, so
// that its expectation is an independent computation.

/** Faults that a rule corrects, and faults that need a person, by the names the report uses. */
export const fixable = ['rounding', 'fees-missing', 'amounts-swapped', 'fees-wrong', 'one-source-off'] as const
export const open = [
  'counterpart-missing',
  'currencies-disagree',
  'negative-amount',
  'neither-fits',
  'implausible-fees',
  'sources-disagree',
] as const
export type FaultKind = (typeof fixable)[number] | (typeof open)[number]

/** faultRate 1 means 0.6 % of the rows for each fixable kind and 0.06 % for each open one, but at least one row; 0 none. */
export interface SampleOptions {
  readonly rows: number
  readonly seed: number
  readonly faultRate?: number
}

export interface Totals {
  rows: number
  inputCents: bigint
  outputCents: bigint
  feesCents: bigint
}

/** The truth: which rows carry which fault, and the totals per currency of all rows that need no person. */
export interface Expected {
  readonly rows: number
  readonly kinds: Readonly<Record<FaultKind, readonly string[]>>
  readonly undisputed: Readonly<Record<string, Totals>>
}

export interface Sample {
  readonly broker: string
  readonly investor: string
  readonly expected: Expected
}

/** A side's cells as text. */
interface Side {
  currency: string
  input: string
  output: string
  fees: string
}
interface Truth {
  id: string
  currency: string
  input: bigint
  output: bigint
  fees: bigint
}
interface Sides {
  broker: Side | null
  investor: Side | null
}
type Random = (from: number, to: number) => number

const currencies = ['EUR', 'USD', 'GBP']

/** Both CSV files and what must come of them; the same options give the same bytes. */
export function generateSample({ rows, seed, faultRate = 1 }: SampleOptions): Sample {
  const random = randomFrom(seed)
  const plan = planFaults(rows, faultRate, random)
  const kinds = Object.fromEntries([...fixable, ...open].map((kind) => [kind, [] as string[]])) as Record<
    FaultKind,
    string[]
  >
  const undisputed: Record<string, Totals> = {}
  const lines = { broker: [] as string[], investor: [] as string[] }
  for (let index = 0; index < rows; index += 1) {
    const truth = makeTruth(index, random)
    const kind = plan.get(index)
    const variant = kind ? kinds[kind].push(truth.id) : 0
    const sides = kind ? spoil[kind](truth, variant, random) : clean(truth, index)
    if (!kind || (fixable as readonly string[]).includes(kind)) add(undisputed, truth)
    if (sides.broker) lines.broker.push(line(truth.id, `B${index % 9}`, sides.broker, index))
    if (sides.investor) lines.investor.push(line(truth.id, `I${index % 70}`, sides.investor, index))
  }
  shuffle(lines.investor, random)
  return {
    broker: [header('broker_id'), ...lines.broker, ''].join('\n'),
    investor: [header('investor_id'), ...lines.investor, ''].join('\n'),
    expected: { rows, kinds, undisputed },
  }
}

/** How each fault is made; `variant` counts up from 1 within a kind, so that every form of it appears. */
const spoil: Record<FaultKind, (truth: Truth, variant: number, random: Random) => Sides> = {
  rounding: (truth, variant) => {
    const fine = {
      ...side(truth),
      input: `${cents(truth.input)}4`,
      output: `${cents(truth.output)}3`,
      fees: `${cents(truth.fees)}1`,
    }
    return variant % 2 ? both(side(truth), fine) : both(side({ ...truth, fees: truth.fees + 1n }), side(truth))
  },
  'fees-missing': (truth, variant) => {
    const none = { ...side(truth), fees: '' }
    return [both(none, none), both(none, side(truth)), both(side(truth), none)][variant % 3]!
  },
  'amounts-swapped': (truth, variant) => {
    const swapped = side({ ...truth, input: truth.output, output: truth.input })
    return [both(swapped, swapped), both(swapped, side(truth)), both(side(truth), swapped)][variant % 3]!
  },
  'fees-wrong': (truth, variant, random) => {
    const wrong = side({ ...truth, fees: truth.fees + BigInt(random(5, 500)) })
    return [both(wrong, wrong), both(wrong, side(truth)), both(side(truth), wrong)][variant % 3]!
  },
  'one-source-off': (truth, variant, random) => {
    const off = side({ ...truth, input: truth.input + BigInt(random(100, 900)) })
    return variant % 2 ? both(side(truth), off) : both(off, side(truth))
  },
  'counterpart-missing': (truth, variant) =>
    variant % 2 ? { broker: side(truth), investor: null } : { broker: null, investor: side(truth) },
  'currencies-disagree': (truth) => both(side(truth), { ...side(truth), currency: 'CHF' }),
  'negative-amount': (truth) => {
    const negative = side({ ...truth, output: truth.input + truth.fees, fees: -truth.fees })
    return both(negative, negative)
  },
  'neither-fits': (truth, _variant, random) =>
    both(
      side({ ...truth, output: truth.output - BigInt(random(10, 90)) }),
      side({ ...truth, output: truth.output + BigInt(random(10, 90)) }),
    ),
  'implausible-fees': (truth) => {
    const fees = (truth.input * 3n) / 20n
    const high = side({ ...truth, output: truth.input - fees, fees })
    return both(high, high)
  },
  'sources-disagree': (truth, _variant, random) => {
    const more = BigInt(random(100, 900))
    return both(side(truth), side({ ...truth, input: truth.input + more, output: truth.output + more }))
  },
}

function planFaults(rows: number, rate: number, random: Random): Map<number, FaultKind> {
  const plan = new Map<number, FaultKind>()
  if (rate === 0) return plan
  for (const kind of [...fixable, ...open]) {
    const share = (fixable as readonly string[]).includes(kind) ? 0.006 : 0.0006
    const count = Math.max(1, Math.round(rows * share * rate))
    for (let made = 0; made < count; ) {
      const index = random(0, rows - 1)
      if (plan.has(index)) continue
      plan.set(index, kind)
      made += 1
    }
  }
  return plan
}

function makeTruth(index: number, random: Random): Truth {
  const input = BigInt(random(10_000, 5_000_000))
  const fees = (input * BigInt(random(5, 50))) / 1000n
  const id = `T${String(index + 1).padStart(5, '0')}`
  return { id, currency: currencies[random(0, 9) % 3]!, input, output: input - fees, fees }
}

/** A row without a fault, now and then written differently by the two sources. */
function clean(truth: Truth, index: number): Sides {
  const investor = side(truth)
  if (index % 50 === 7) return both(side(truth), { ...investor, currency: investor.currency.toLowerCase() })
  if (index % 50 === 9) return both(side(truth), { ...investor, input: investor.input.replace(/0$/, '') })
  return both(side(truth), investor)
}

function side({ currency, input, output, fees }: Truth): Side {
  return { currency, input: cents(input), output: cents(output), fees: cents(fees) }
}

function both(broker: Side, investor: Side): Sides {
  return { broker, investor }
}

/** Decimal text of an amount in cents. */
export function cents(amount: bigint): string {
  const digits = String(amount < 0n ? -amount : amount).padStart(3, '0')
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}

function add(totals: Record<string, Totals>, { currency, input, output, fees }: Truth): void {
  totals[currency] ??= { rows: 0, inputCents: 0n, outputCents: 0n, feesCents: 0n }
  const sum = totals[currency]
  sum.rows += 1
  sum.inputCents += input
  sum.outputCents += output
  sum.feesCents += fees
}

function header(party: string): string {
  return `transaction_id,${party},input_amount,output_amount,fees,currency,booked_at`
}

function line(id: string, party: string, { input, output, fees, currency }: Side, index: number): string {
  const bookedAt = new Date(Date.UTC(2026, 2, 2, 8, index)).toISOString().slice(0, 16)
  return [id, party, input, output, fees, currency, `${bookedAt}Z`].join(',')
}

/** Whole numbers from a seed, both ends included (mulberry32). */
function randomFrom(seed: number): Random {
  let state = seed >>> 0
  return (from, to) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return from + (((mixed ^ (mixed >>> 14)) >>> 0) % (to - from + 1))
  }
}

function shuffle(items: string[], random: Random): void {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = random(0, last)
    const item = items[last]!
    items[last] = items[other]!
    items[other] = item
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '5000' },
      seed: { type: 'string', default: '1' },
      'fault-rate': { type: 'string', default: '1' },
      out: { type: 'string', default: import.meta.dirname },
    },
  })
  const options = { rows: Number(values.rows), seed: Number(values.seed), faultRate: Number(values['fault-rate']) }
  const { broker, investor, expected } = generateSample(options)
  mkdirSync(values.out, { recursive: true })
  writeFileSync(join(values.out, 'broker.csv'), broker)
  writeFileSync(join(values.out, 'investor.csv'), investor)
  const counts = Object.entries(expected.kinds).map(([kind, ids]) => `${kind} ${ids.length}`)
  console.log(`${values.out}: ${options.rows} transactions, seed ${options.seed}; faults: ${counts.join(', ')}`)
}
