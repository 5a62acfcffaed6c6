import { fits, isPlausible } from './lib/amounts.js'
import { decisionOn } from './lib/proposals.js'
import { judge } from './lib/rules.js'

/** More open rows than this are no work for a review, but two files that do not belong together. */
const maxOpen = 1000

/**
 * The only gate to `store`: every transaction satisfies input = output + fees as reported, as corrected by a rule, or
 * as decided by a person. What a rule can fix goes to `correct`, what is left to `review`.
 */
export default function validate({ transactions, corrections, undecided, proposal, review }) {
  const corrected = new Map((corrections ?? []).map((correction) => [correction.transaction_id, correction]))
  const decided = review && review.decision !== 'reject' ? proposal : null
  const discrepancies = []
  const faults = decided ? strangersIn(proposal, undecided) : []
  for (const transaction of transactions) {
    const correction = corrected.get(transaction.transaction_id)
    if (correction) {
      assertSound(correction)
      continue
    }
    const verdict = judge(transaction)
    if (!verdict) continue
    const fault = decided && decisionOn(transaction.transaction_id, decided).fault
    if (fault) faults.push(fault)
    if (!decided || fault) {
      const { kind, explanation } = verdict
      discrepancies.push({
        transaction,
        kind,
        explanation: explanation ?? verdict.correction.rule,
        fixable: !!verdict.correction,
      })
    }
  }
  const open = discrepancies.filter((discrepancy) => !discrepancy.fixable).length
  if (open > maxOpen) {
    throw new Error(`${open} transactions need a person, more than ${maxOpen}: do both files cover the same period?`)
  }
  return outcome(transactions, corrected, discrepancies, proposal, faults)
}

function outcome(transactions, corrected, discrepancies, proposal, faults) {
  const passed = discrepancies.length === 0 && faults.length === 0
  const proposed = Array.isArray(proposal) && !discrepancies.some((discrepancy) => discrepancy.fixable)
  return {
    discrepancies,
    validation_passed: passed,
    requires_human_review: !passed && proposed,
    transaction_count: transactions.length,
    corrected_count: corrected.size,
    open_count: discrepancies.length,
    edit_faults: faults.length > 0 ? `The edited values cannot be stored: ${faults.slice(0, 5).join('; ')}.` : '',
  }
}

function strangersIn(proposal, undecided) {
  const open = new Set(undecided.map((row) => row.transaction_id))
  return proposal.flatMap(({ transaction_id: id }) => (open.has(id) ? [] : [`${id} is not one of the open rows`]))
}

/** A rule that breaks the rule is a fault of this package: better a failed run than a wrong booking. */
function assertSound(correction) {
  if (fits(correction) && isPlausible(correction)) return
  throw new Error(`${correction.transaction_id}: the correction "${correction.rule}" breaks input = output + fees`)
}
