/** The report: the answer, who let it be published, and every source it may rest on. */
export default function report({ question, answer, sources, open_parts, review }) {
  const labels = { number: 'No.', statement: 'What it says', source: 'Source', part: 'Part of the question' }
  return {
    report: {
      title: `Research: ${question}`.slice(0, 200),
      summary: String(answer).slice(0, 8000),
      facts: [
        { label: 'Approved by', value: review.decidedBy },
        { label: 'Reason', value: review.reason },
        { label: 'Sources', value: String(sources.length) },
        { label: 'Open', value: open_parts.length > 0 ? open_parts.join('; ').slice(0, 2000) : 'nothing' },
      ],
      tables: [
        {
          name: 'sources',
          title: 'Sources',
          columns: Object.entries(labels).map(([key, label]) => ({
            key,
            label,
            align: key === 'number' ? 'right' : 'left',
          })),
          rows: sources,
        },
      ],
    },
  }
}
