import { correctionsTable, evidenceTable, rejectionsTable, sourcesTable } from './lib/report.js'

/** The report of a run that ended in rejection: nothing was stored, and why. */
export default function reject({ sources, transaction_count, corrections, undecided, rejections, review }) {
  const { reason, decidedBy, decidedAt } = review
  const rounds = [
    ...rejections,
    { reason, decidedBy, decidedAt, done: 'The run ended as rejected; nothing was stored.' },
  ]
  return {
    report: {
      title: 'Hourly tracking: rejected',
      summary: `The proposals were rejected ${rounds.length} times. Nothing was stored. Last reason: ${reason}`,
      facts: [
        { label: 'Transactions', value: String(transaction_count) },
        { label: 'Stored', value: '0' },
        { label: 'Would have been corrected by a rule', value: String(corrections.length) },
        { label: 'Left for a person', value: String(undecided.length) },
        { label: 'Rejected by', value: decidedBy },
      ],
      tables: [rejectionsTable(rounds), evidenceTable(undecided), correctionsTable(corrections), sourcesTable(sources)],
    },
  }
}
