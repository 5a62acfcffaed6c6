import Big from 'enginex:decimal'

const labels = {
  supplier: 'Supplier',
  invoice_number: 'Invoice number',
  invoice_date: 'Invoice date',
  due_date: 'Due date',
  currency: 'Currency',
  net_total: 'Net total',
  tax_total: 'Tax',
  gross_total: 'Gross total',
  account: 'Account',
}

/** The report: what was approved (or refused), by whom and why, with the checks and the lines it rests on. */
export default function record({ booking, lines, checks, findings, review }) {
  const rejected = review.decision === 'reject'
  const outcome = { approve: 'approved as proposed', edit: 'approved with changes', reject: 'rejected' }[
    review.decision
  ]
  return {
    report: {
      title: `Invoice ${booking.invoice_number || 'without a number'}: ${outcome}`.slice(0, 200),
      summary: `${review.reason}`,
      facts: [
        { label: 'Decision', value: outcome },
        { label: 'Decided by', value: review.decidedBy },
        { label: 'Decided at', value: review.decidedAt },
        { label: 'Booked values add up', value: rejected ? 'nothing was booked' : addsUp(booking) },
        ...Object.entries(labels).map(([key, label]) => ({ label, value: String(booking[key] ?? '').slice(0, 2000) })),
      ],
      tables: [
        table('checks', 'Checks', { check: 'Check', result: 'Result', detail: 'Detail' }, checks),
        table(
          'findings',
          'Findings',
          { finding: 'Finding' },
          toList(findings).map((finding) => ({ finding })),
        ),
        table(
          'lines',
          'Lines',
          { description: 'Description', quantity: 'Quantity', unit_price: 'Price', amount: 'Amount' },
          lines,
        ),
      ],
    },
  }
}

function addsUp({ net_total, tax_total, gross_total }) {
  try {
    const difference = new Big(gross_total).minus(net_total).minus(tax_total)
    return difference.eq(0) ? 'yes' : `no, they differ by ${difference.toFixed(2)}`
  } catch {
    return 'no, a value is not a number'
  }
}

function toList(findings) {
  if (Array.isArray(findings)) return findings.map(String)
  return findings ? [String(findings)] : []
}

function table(name, title, labelOf, rows) {
  const numbers = ['quantity', 'unit_price', 'amount']
  const columns = Object.entries(labelOf).map(([key, label]) => ({
    key,
    label,
    align: numbers.includes(key) ? 'right' : 'left',
  }))
  return { name, title, columns, rows }
}
