const right = (key, label) => ({ key, label, align: 'right' })
const left = (key, label) => ({ key, label })

const id = left('transaction_id', 'Transaction')
const currency = left('currency', 'Currency')
const amounts = [right('input_amount', 'Input'), right('output_amount', 'Output'), right('fees', 'Fees')]
const reported = [
  left('broker_currency', 'Broker: currency'),
  right('broker_input', 'Broker: input'),
  right('broker_output', 'Broker: output'),
  right('broker_fees', 'Broker: fees'),
  left('investor_currency', 'Investor: currency'),
  right('investor_input', 'Investor: input'),
  right('investor_output', 'Investor: output'),
  right('investor_fees', 'Investor: fees'),
]

/** Sums per currency. */
export function totalsTable(rows) {
  return table('totals', 'Totals', [currency, right('rows', 'Transactions'), ...amounts], rows)
}

/** What the rules corrected: before (input / output / fees of each source), after, rule and source. */
export function correctionsTable(rows) {
  const before = [
    right('broker_before', 'Broker before (input / output / fees)'),
    right('investor_before', 'Investor before (input / output / fees)'),
  ]
  const columns = [id, left('problem', 'Problem'), ...before, currency, ...amounts]
  return table(
    'corrections',
    'Rows corrected by a rule',
    [...columns, left('rule', 'Rule'), left('source', 'Source')],
    rows,
  )
}

/** Open rows with what was decided on them, by whom and why. */
export function decisionsTable(name, title, rows) {
  const columns = [id, left('problem', 'Problem'), ...reported, left('decision', 'Decision'), currency, ...amounts]
  const who = [
    left('basis', 'Basis'),
    left('decided_by', 'Decided by'),
    left('decided_at', 'At'),
    left('reason', 'Reason'),
  ]
  return table(name, title, [...columns, ...who], rows)
}

/** Open rows on which nothing was decided. */
export function evidenceTable(rows) {
  const columns = [id, left('problem', 'Problem'), left('explanation', 'Explanation'), ...reported]
  return table('undecided', 'Rows that no rule can fix', columns, rows)
}

/** Each rejection with its notes and what was done about them. */
export function rejectionsTable(rows) {
  const columns = [
    left('decidedBy', 'Rejected by'),
    left('decidedAt', 'At'),
    left('reason', 'Notes'),
    left('done', 'Effect'),
  ]
  return table('rejections', 'Rejections', columns, rows)
}

/** The two files as they came. */
export function sourcesTable(rows) {
  const period = [left('first', 'First booking'), left('last', 'Last booking')]
  const columns = [left('source', 'Source'), right('rows', 'Rows'), left('currencies', 'Currencies'), ...period]
  return table('sources', 'Sources', columns, rows)
}

/** Every stored transaction, once. */
export function ledgerTable(rows) {
  const who = [left('broker_id', 'Broker'), left('investor_id', 'Investor'), left('booked_at', 'Booked at')]
  return table(
    'transactions',
    'Stored transactions',
    [id, ...who, currency, ...amounts, left('origin', 'Origin')],
    rows,
  )
}

/** A table whose rows hold exactly its columns. */
function table(name, title, columns, rows) {
  const keys = columns.map((column) => column.key)
  const pick = (row) => Object.fromEntries(keys.map((key) => [key, row[key] ?? null]))
  return { name, title, columns, rows: rows.map(pick) }
}
