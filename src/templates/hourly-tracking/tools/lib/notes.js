import { isExact, remainder } from './amounts.js'

const instruction = /\b(exclude|(?:take|use)\s+(?:the\s+)?(broker|investor))\b/i

/**
 * Applies a reviewer's notes to the proposal that was rejected, and says what was done. Instructions are separated by
 * semicolons or lines: "exclude IDS", "take broker IDS", "take investor IDS", where IDS are transaction ids or the word
 * "all". Notes without an instruction withdraw every proposed value: all open rows are proposed for exclusion.
 */
export function applyNotes(proposal, evidence, notes) {
  const rows = new Map(proposal.map((row) => [row.transaction_id, row]))
  const sides = new Map(evidence.map((row) => [row.transaction_id, row]))
  const instructions = notes.split(/[;\n]/).flatMap((text) => parse(text, rows))
  const orders = instructions.length > 0 ? instructions : [{ verb: 'withdraw', ids: [...rows.keys()] }]
  for (const { verb, ids } of orders) for (const id of ids) rows.set(id, treat(verb, rows.get(id), sides.get(id)))
  return { proposal: [...rows.values()], done: describe(instructions, rows.size) }
}

function describe(instructions, total) {
  if (instructions.length === 0) return `Your notes name no open row, so all ${total} proposed values were withdrawn.`
  const parts = instructions.map(({ verb, ids }) => `${verb} ${ids.length} of ${total} rows`)
  return `Your notes were applied: ${parts.join(', ')}.`
}

function parse(text, rows) {
  const match = instruction.exec(text)
  if (!match) return []
  const words = new Set(
    text
      .slice(match.index + match[0].length)
      .split(/[\s,]+/)
      .map((word) => word.replace(/\.$/, '')),
  )
  const ids = [...rows.keys()].filter((id) => words.has(id) || words.has('all'))
  const verb = match[2] ? `take ${match[2].toLowerCase()}` : 'exclude'
  return ids.length > 0 ? [{ verb, ids }] : []
}

function treat(verb, row, sides) {
  if (verb === 'exclude') return { ...row, action: 'exclude', basis: "excluded by the reviewer's notes" }
  if (verb === 'withdraw') return { ...row, action: 'exclude', basis: 'withdrawn: the proposed values were rejected' }
  const source = verb.slice('take '.length)
  const [currency, input_amount, output_amount, fees] = ['currency', 'input', 'output', 'fees'].map(
    (name) => sides[`${source}_${name}`],
  )
  if (input_amount === '') return { ...row, action: 'exclude', basis: `excluded: the ${source} has no such row` }
  const amounts = { input_amount, output_amount, fees: fees || remainder({ input_amount, output_amount }) }
  if (!isExact(amounts)) {
    return { ...row, action: 'exclude', basis: `excluded: the ${source}'s values do not satisfy the rule` }
  }
  return {
    ...row,
    ...amounts,
    currency,
    action: 'store',
    basis: `as the ${source} reports it, by the reviewer's notes`,
  }
}
