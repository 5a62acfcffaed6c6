const order = ['high', 'medium', 'low', 'none', 'not read']

/**
 * One row for each clause, the greatest risk first. Whatever a model handed over becomes a row; a clause without a
 * usable reading is one that a person has to read.
 */
export default function weigh({ clauses, readings }) {
  const risks = clauses.map((clause, index) => rowOf(clause, readings?.[index]?.assessment))
  risks.sort((a, b) => order.indexOf(a.risk) - order.indexOf(b.risk))
  return {
    risks,
    high_count: risks.filter(({ risk }) => risk === 'high').length,
    unread_count: risks.filter(({ risk }) => risk === 'not read').length,
  }
}

function rowOf({ number, title }, assessment) {
  const reading = assessment && typeof assessment === 'object' ? assessment : {}
  const known = order.includes(reading.risk) && reading.risk !== 'not read'
  return {
    clause: number,
    title,
    risk: known ? reading.risk : 'not read',
    meaning: known ? text(reading.meaning) : 'The model could not read this clause; read it yourself.',
    advice: known ? text(reading.advice) : '',
  }
}

function text(value) {
  return String(value ?? '').slice(0, 1000)
}
