const outcomes = { approve: 'approved', edit: 'approved with changes', reject: 'not approved' }

/** The report: what was asked, where it went, what was answered, and who decided it. */
export default function report({ request, customer, category, urgency, answer, review, handover }) {
  const decided = review ?? handover
  const facts = [
    { label: 'Customer', value: customer || 'not named' },
    { label: 'Category', value: String(category) },
    { label: 'Urgency', value: String(urgency) },
    { label: handover ? 'Taken over' : 'Answer', value: handover ? takenOver(handover) : outcomes[decided.decision] },
    { label: 'Decided by', value: decided.decidedBy },
    { label: 'Reason', value: decided.reason },
    { label: 'Request', value: String(request).slice(0, 2000) },
  ]
  return {
    report: {
      title: `Support request: ${category}`,
      summary: String(answer ?? 'No answer was drafted.').slice(0, 8000),
      facts,
      tables: [],
    },
  }
}

function takenOver({ decision }) {
  return decision === 'reject' ? 'no' : 'yes'
}
