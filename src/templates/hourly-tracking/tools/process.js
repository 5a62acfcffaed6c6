import { normalise, sameAmounts } from './lib/amounts.js'

/**
 * Joins both sources into one list, each transaction once, in the order of the broker's file and then what only the
 * investor has. Where the sources agree the amounts stand on the transaction; where not, both are kept side by side.
 */
export default function processTransactions({ broker, investor }) {
  const investors = index('investor', investor)
  const brokers = index('broker', broker)
  const transactions = []
  for (const [id, side] of brokers) transactions.push(join(id, side, investors.get(id) ?? null))
  for (const [id, side] of investors) if (!brokers.has(id)) transactions.push(join(id, null, side))
  return { transactions }
}

function index(source, rows) {
  const byId = new Map()
  for (const row of rows) {
    const id = row.transaction_id.trim()
    if (byId.has(id)) throw new Error(`${source}: transaction ${id} appears twice`)
    byId.set(id, {
      party: row[`${source}_id`].trim(),
      booked_at: row.booked_at.trim(),
      currency: row.currency.trim().toUpperCase(),
      input_amount: amount(source, id, row, 'input_amount'),
      output_amount: amount(source, id, row, 'output_amount'),
      fees: amount(source, id, row, 'fees'),
    })
  }
  return byId
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
