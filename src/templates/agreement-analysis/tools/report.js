const outcomes = { approve: 'approved', edit: 'approved with changes', reject: 'rejected' }

/** The report: the summary, who decided what, and every clause with its risk. */
export default function report({ summary, risks, our_party, review }) {
  const columns = { clause: 'Clause', title: 'Title', risk: 'Risk', meaning: 'What it means', advice: 'What to do' }
  return {
    report: {
      title: `Agreement analysis: ${outcomes[review.decision]}`,
      summary: String(summary).slice(0, 8000),
      facts: [
        { label: 'Our side', value: our_party },
        { label: 'Decision', value: outcomes[review.decision] },
        { label: 'Decided by', value: review.decidedBy },
        { label: 'Reason', value: review.reason },
        { label: 'Clauses', value: String(risks.length) },
      ],
      tables: [
        {
          name: 'risks',
          title: 'Clauses by risk',
          columns: Object.entries(columns).map(([key, label]) => ({ key, label, align: 'left' })),
          rows: risks,
        },
      ],
    },
  }
}
