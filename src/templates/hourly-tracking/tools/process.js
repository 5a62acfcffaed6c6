import { normalise, sameAmounts } from './lib/amounts.js'

/**
 * Joins both sources into one list, each transaction once, in the order of the broker's file and then what only the
 * investor has. Where the sources agree the amounts stand on the transaction; where not, both are kept side by side.
 */
export default function processTransactions({ broker, investor }) {
  const brokerIds = new Set()
  const investors = new Map(investor.map((row) => [row.transaction_id.trim(), row]))
  if (investors.size < investor.length) throw new Error(`investor: transaction ${firstTwice(investor)} appears twice`)
  const transactions = []
  for (const row of broker) {
    const id = row.transaction_id.trim()
    if (brokerIds.has(id)) throw new Error(`broker: transaction ${id} appears twice`)
    brokerIds.add(id)
    transactions.push(join(id, sideOf('broker', id, row), sideOf('investor', id, investors.get(id))))
    investors.delete(id)
  }
  for (const [id, row] of investors) transactions.push(join(id, null, sideOf('investor', id, row)))
  return { transactions }
}

function firstTwice(rows) {
  const seen = new Set()
  for (const { transaction_id } of rows) {
    const id = transaction_id.trim()
    if (seen.has(id)) return id
    seen.add(id)
  }
}

function sideOf(source, id, row) {
  if (!row) return null
  return {
    party: row[`${source}_id`].trim(),
    booked_at: row.booked_at.trim(),
    currency: row.currency.trim().toUpperCase(),
    input_amount: amount(source, id, row, 'input_amount'),
    output_amount: amount(source, id, row, 'output_amount'),
    fees: amount(source, id, row, 'fees'),
  }
}

function amount(source, id, row, column) {
  try {
    const value = normalise(row[column])
    if (value === null && column !== 'fees') throw new Error('is empty')
    return value
  } catch (error) {
    throw new Error(`${source}: transaction ${id}: ${column} ${error.message}`)
  }
}

function join(id, broker, investor) {
  const head = {
    transaction_id: id,
    broker_id: broker?.party ?? null,
    investor_id: investor?.party ?? null,
    booked_at: (broker ?? investor).booked_at,
  }
  if (broker && investor && broker.currency === investor.currency && sameAmounts(broker, investor)) {
    return { ...head, ...amountsOf(broker) }
  }
  return { ...head, broker: broker && amountsOf(broker), investor: investor && amountsOf(investor) }
}

function amountsOf({ currency, input_amount, output_amount, fees }) {
  return { currency, input_amount, output_amount, fees }
}
