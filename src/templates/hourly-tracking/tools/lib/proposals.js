import { fits, isExact, isPlausible, normalise, remainder, sameAmounts } from './amounts.js'
import { sidesOf } from './rules.js'

/** What a reviewer sees of a transaction that no rule can fix: one flat row. */
export function evidenceOf({ transaction, kind, explanation }) {
  const { broker, investor } = sidesOf(transaction)
  return {
    transaction_id: transaction.transaction_id,
    problem: kind,
    explanation,
    booked_at: transaction.booked_at,
    broker_currency: broker?.currency ?? '',
    broker_input: broker?.input_amount ?? '',
    broker_output: broker?.output_amount ?? '',
    broker_fees: broker?.fees ?? '',
    investor_currency: investor?.currency ?? '',
    investor_input: investor?.input_amount ?? '',
    investor_output: investor?.output_amount ?? '',
    investor_fees: investor?.fees ?? '',
  }
}

/**
 * The row that a reviewer may edit. It always satisfies the rule or proposes to exclude, so that approving it
 * unchanged is always possible.
 */
export function propose({ transaction, kind }) {
  const { broker, investor } = sidesOf(transaction)
  if (kind === 'currencies-disagree') return exclude(transaction, 'choose the currency before storing it')
  if (kind === 'negative-amount') return exclude(transaction, 'withheld until the negative amount is explained')
  const sound = [broker, investor].filter((side) => side && fits(side) && isPlausible(side))
  const exact = sound.length > 0 ? sound : [broker, investor].filter((side) => side && fits(side))
  if (exact.length > 0) {
    const agreed = broker && investor && sameAmounts(broker, investor)
    return keep(transaction, exact[0], agreed ? 'as both report it' : `as the ${nameOf(exact[0], broker)} reports it`)
  }
  const recomputed = broker && { ...broker, fees: remainder(broker) }
  if (recomputed && fits(recomputed) && isPlausible(recomputed)) {
    return keep(transaction, recomputed, "the broker's input and output, fees recomputed")
  }
  return exclude(transaction, 'no source has amounts that satisfy the rule')
}

/**
 * What a person's table says about one open transaction: {action: 'store', amounts}, {action: 'exclude'} (a row taken
 * out of the table excludes it), or {fault: sentence} when the values cannot be stored.
 */
export function decisionOn(id, rows) {
  const mine = rows.filter((row) => row.transaction_id === id)
  if (mine.length > 1) return { fault: `${id} appears ${mine.length} times` }
  const [row] = mine
  if (!row || row.action === 'exclude') return { action: 'exclude' }
  const amounts = {
    currency: row.currency.trim().toUpperCase(),
    input_amount: normalise(row.input_amount),
    output_amount: normalise(row.output_amount),
    fees: normalise(row.fees),
  }
  if (Object.values(amounts).some((value) => value === null || value === ''))
    return { fault: `${id} has an empty value` }
  if (isExact(amounts)) return { action: 'store', amounts }
  return { fault: `${id}: ${amounts.input_amount} is not ${amounts.output_amount} + ${amounts.fees}` }
}

function nameOf(side, broker) {
  return side === broker ? 'broker' : 'investor'
}

function keep({ transaction_id }, { currency, input_amount, output_amount, fees }, basis) {
  return { transaction_id, action: 'store', currency, input_amount, output_amount, fees, basis }
}

/** The row with which a transaction is left out; its amounts stay for an editor to start from. */
function exclude(transaction, basis) {
  const { broker, investor } = sidesOf(transaction)
  const side = broker ?? investor
  return { ...keep(transaction, { ...side, fees: side.fees ?? remainder(side) }, basis), action: 'exclude' }
}
