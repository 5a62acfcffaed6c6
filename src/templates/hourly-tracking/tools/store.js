import Big from 'enginex:decimal'
import { format } from './lib/amounts.js'
import { decisionOn } from './lib/proposals.js'
import {
  correctionsTable,
  decisionsTable,
  ledgerTable,
  rejectionsTable,
  sourcesTable,
  totalsTable,
} from './lib/report.js'

/**
 * Books every transaction exactly once, or leaves it out by a person's decision, and adds up what was booked. Fails
 * rather than book one that has no valid amounts.
 */
export default function store(input) {
  const corrections = input.corrections ?? []
  const decisions = decide(input)
  const corrected = new Map(corrections.map((row) => [row.transaction_id, row]))
  const decided = new Map(decisions.map((row) => [row.transaction_id, row]))
  const ledger = []
  for (const transaction of input.transactions) {
    const row = book(transaction, corrected.get(transaction.transaction_id), decided.get(transaction.transaction_id))
    if (row) ledger.push(row)
  }
  const excluded = decisions.filter((row) => row.decision === 'excluded')
  if (ledger.length + excluded.length !== input.transactions.length)
    throw new Error('a transaction was lost or doubled')
  const totals = addUp(ledger)
  return {
    stored_count: ledger.length,
    excluded_count: excluded.length,
    report: reportOf(input, { totals, ledger, corrections, decisions, excluded }),
  }
}

function decide({ undecided, proposal, proposed, review }) {
  const before = new Map((proposed ?? []).map((row) => [row.transaction_id, row]))
  return (undecided ?? []).map((evidence) => {
    const id = evidence.transaction_id
    const { action, amounts, fault } = decisionOn(id, proposal)
    if (fault) throw new Error(fault)
    const unchanged = sameDecision(before.get(id), action, amounts)
    return {
      ...evidence,
      ...(amounts ?? { currency: null, input_amount: null, output_amount: null, fees: null }),
      decision: action === 'exclude' ? 'excluded' : unchanged ? 'approved' : 'edited',
      basis: unchanged ? before.get(id).basis : "the reviewer's own choice",
      decided_by: review.decidedBy,
      decided_at: review.decidedAt,
      reason: review.reason,
    }
  })
}

function sameDecision(proposed, action, amounts) {
  if (!proposed || proposed.action !== action) return false
  return !amounts || Object.entries(amounts).every(([key, value]) => proposed[key] === value)
}

function book(transaction, correction, decision) {
  const { transaction_id, broker_id, investor_id, booked_at } = transaction
  const amounts = decision ?? correction ?? transaction
  if (decision?.decision === 'excluded') return null
  const { currency, input_amount, output_amount, fees } = amounts
  if (!input_amount || !output_amount || !fees) throw new Error(`${transaction_id} has no valid amounts`)
  const origin = decision ? 'decided by a person' : correction ? 'corrected by a rule' : 'as reported'
  return { transaction_id, broker_id, investor_id, booked_at, currency, input_amount, output_amount, fees, origin }
}

function addUp(ledger) {
  const sums = new Map()
  for (const { currency, ...row } of ledger) {
    const sum = sums.get(currency) ?? { rows: 0, input: new Big(0), output: new Big(0), fees: new Big(0) }
    sums.set(currency, {
      rows: sum.rows + 1,
      input: sum.input.plus(row.input_amount),
      output: sum.output.plus(row.output_amount),
      fees: sum.fees.plus(row.fees),
    })
  }
  const ordered = [...sums].sort(([one], [other]) => (one < other ? -1 : 1))
  return ordered.map(([currency, { rows, input, output, fees }]) => {
    if (!input.eq(output.plus(fees))) throw new Error(`the totals of ${currency} break input = output + fees`)
    return { currency, rows, input_amount: format(input), output_amount: format(output), fees: format(fees) }
  })
}

function reportOf({ sources, transactions, rejections }, { totals, ledger, corrections, decisions, excluded }) {
  const number = (count) => String(count)
  return {
    title: 'Hourly tracking',
    summary: `${ledger.length} of ${transactions.length} transactions were stored; for each of them input = output + fees holds exactly.`,
    facts: [
      { label: 'Transactions', value: number(transactions.length) },
      { label: 'Stored', value: number(ledger.length) },
      { label: 'Corrected by a rule', value: number(corrections.length) },
      { label: 'Decided by a person', value: number(decisions.length) },
      { label: 'Excluded', value: number(excluded.length) },
      ...totals.slice(0, 50).map(({ currency, input_amount, output_amount, fees }) => ({
        label: `${currency}: input = output + fees`,
        value: `${input_amount} = ${output_amount} + ${fees}`,
      })),
    ],
    tables: [
      totalsTable(totals),
      correctionsTable(corrections),
      decisionsTable('decisions', 'Rows a person decided', decisions),
      decisionsTable('excluded', 'Excluded rows', excluded),
      rejectionsTable(rejections ?? []),
      sourcesTable(sources),
      ledgerTable(ledger),
    ],
  }
}
