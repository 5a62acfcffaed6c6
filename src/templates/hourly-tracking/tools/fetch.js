const sources = ['broker', 'investor']

/** Takes stock of the two uploaded files: rows, period and currencies of each. Fails when one of them has no rows. */
export default function fetch(input) {
  return { sources: sources.map((source) => stockOf(source, input[source])) }
}

function stockOf(source, rows) {
  if (rows.length === 0) throw new Error(`the ${source} file has no transactions`)
  const currencies = new Set()
  let [first, last] = [rows[0].booked_at, rows[0].booked_at]
  for (const { currency, booked_at } of rows) {
    currencies.add(currency)
    if (booked_at < first) first = booked_at
    if (booked_at > last) last = booked_at
  }
  return { source, rows: rows.length, currencies: [...currencies].sort().join(', '), first, last }
}
