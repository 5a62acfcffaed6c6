import { applyNotes } from './lib/notes.js'
import { evidenceOf, propose } from './lib/proposals.js'
import { judge, sidesOf } from './lib/rules.js'

/**
 * First visit: lets the rules correct what they can, and lays out the rest with a proposal for each row. After a
 * rejection: changes the proposals as the reviewer's notes say. Nothing is changed without a record of it.
 */
export default function correct(input) {
  return input.review?.decision === 'reject' ? rework(input) : firstPass(input.discrepancies)
}

function firstPass(discrepancies) {
  const open = discrepancies.filter((discrepancy) => !discrepancy.fixable)
  const proposal = open.map(propose)
  return {
    corrections: discrepancies.filter((discrepancy) => discrepancy.fixable).map(correctionOf),
    problems: countByKind(discrepancies),
    undecided: open.map(evidenceOf),
    proposal,
    proposed: proposal,
    rejections: [],
    notes_applied: '',
  }
}

function rework({ corrections, problems, undecided, proposal, rejections, review }) {
  const { proposal: changed, done } = applyNotes(proposal, undecided, review.reason)
  const { reason, decidedBy, decidedAt } = review
  return {
    corrections,
    problems,
    undecided,
    proposal: changed,
    proposed: changed,
    rejections: [...rejections, { reason, decidedBy, decidedAt, done }],
    notes_applied: done,
  }
}

/** One flat row: what both sources said, which rule spoke, whom it believed, and what is booked instead. */
function correctionOf({ transaction }) {
  const { kind, correction } = judge(transaction)
  const { broker, investor } = sidesOf(transaction)
  return {
    transaction_id: transaction.transaction_id,
    problem: kind,
    rule: correction.rule,
    source: correction.source,
    broker_before: text(broker),
    investor_before: text(investor),
    currency: broker.currency,
    ...correction.amounts,
  }
}

function text({ input_amount, output_amount, fees }) {
  return [input_amount, output_amount, fees ?? 'none'].join(' / ')
}

function countByKind(discrepancies) {
  const counts = new Map()
  for (const { kind, fixable } of discrepancies) {
    const entry = counts.get(kind) ?? {
      problem: kind,
      rows: 0,
      handled: fixable ? 'corrected by a rule' : 'needs a person',
    }
    entry.rows += 1
    counts.set(kind, entry)
  }
  return [...counts.values()]
}
