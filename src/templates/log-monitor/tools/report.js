/** The report: the verdict, the figures, and what a person decided when one was asked. */
export default function report(given) {
  const { errors, latency, sign_ins, line_count, unread_lines, verdict, explanation, incident } = given
  return {
    report: {
      title: `Log check: ${titleOf(verdict, incident)}`,
      summary: String(explanation ?? 'The figures were counted; no model explained them.').slice(0, 8000),
      facts: [
        { label: 'Lines', value: `${line_count}, ${unread_lines} of them unreadable` },
        { label: 'Errors', value: errors ? `${errors.total} (${errors.share})` : 'not counted' },
        {
          label: 'Median and 99th percentile',
          value: latency ? `${latency.medianMs} and ${latency.p99Ms} ms` : 'not measured',
        },
        { label: 'Refused sign-ins', value: sign_ins ? String(sign_ins.refused) : 'not counted' },
        ...(incident
          ? [
              { label: 'Decided by', value: incident.decidedBy },
              { label: 'Reason', value: incident.reason },
            ]
          : []),
      ],
      tables: [
        table('errors', 'Errors', { service: 'Service', message: 'Message', times: 'Times' }, errors?.top),
        table('sign-ins', 'Refused sign-ins', { address: 'Address', times: 'Times' }, sign_ins?.top),
      ],
    },
  }
}

function titleOf(verdict, incident) {
  if (incident) return incident.decision === 'reject' ? 'no incident' : 'incident'
  return verdict === 'watch' ? 'keep an eye on it' : 'nothing unusual'
}

function table(name, title, labels, rows = []) {
  const columns = Object.entries(labels).map(([key, label]) => ({
    key,
    label,
    align: key === 'times' ? 'right' : 'left',
  }))
  return { name, title, columns, rows }
}
