import {
  fits,
  isExact,
  isNegative,
  isPlausible,
  remainder,
  sameAmounts,
  sameFlow,
  toCents,
  withinOneCent,
} from './amounts.js'

/**
 * The rules that may correct a transaction by themselves, in the order in which they are tried. Each answers with the
 * amounts it would book and where they come from, or null when it does not apply.
 */
const rules = [
  { kind: 'rounding', name: 'round to cents', apply: roundToCents },
  { kind: 'fees-missing', name: 'fees = input - output', apply: fillFees },
  { kind: 'amounts-swapped', name: 'swap input and output', apply: swapBack },
  { kind: 'fees-wrong', name: 'fees = input - output', apply: recomputeFees },
  { kind: 'one-source-off', name: 'take the source that satisfies the rule', apply: takeTheFitting },
]

/**
 * What is wrong with a transaction: null when both sources agree and the rule holds; a kind and the correction
 * {rule, source, amounts} when a rule fixes it; a kind and an explanation when only a person can.
 */
export function judge(transaction) {
  const { broker, investor } = sidesOf(transaction)
  if (!broker || !investor) return open('counterpart-missing', `only the ${broker ? 'broker' : 'investor'} reports it`)
  if (broker === investor && fits(broker) && isPlausible(broker)) return null
  if (broker.currency !== investor.currency) {
    return open('currencies-disagree', `broker ${broker.currency}, investor ${investor.currency}`)
  }
  for (const { kind, name, apply } of rules) {
    const found = apply(broker, investor)
    if (found && fits(found.amounts) && isPlausible(found.amounts)) {
      return { kind, correction: { rule: name, source: found.source, amounts: found.amounts } }
    }
  }
  return undecidable(broker, investor)
}

/** Both sources' amounts; the very same object twice where they agree in everything. */
export function sidesOf(transaction) {
  if ('broker' in transaction) return transaction
  return { broker: transaction, investor: transaction }
}

function open(kind, explanation) {
  return { kind, correction: null, explanation }
}

function undecidable(broker, investor) {
  if (isNegative(broker) || isNegative(investor)) return open('negative-amount', 'an amount is below zero')
  const exact = [broker, investor].filter(isExact)
  if (exact.length === 0) return open('neither-fits', 'neither source satisfies input = output + fees')
  if (sameAmounts(broker, investor) || exact.length === 1) {
    return open('implausible-fees', 'the rule holds, but the fees are more than 10 % of the input')
  }
  return open('sources-disagree', 'both sources satisfy the rule, with different amounts')
}

function withFees({ input_amount, output_amount }) {
  return { input_amount, output_amount, fees: remainder({ input_amount, output_amount }) }
}

function roundToCents(broker, investor) {
  const [one, other] = [broker, investor].map((side) => ({
    input_amount: toCents(side.input_amount),
    output_amount: toCents(side.output_amount),
  }))
  if (!sameFlow(one, other) || broker.fees === null || investor.fees === null) return null
  const amounts = withFees(one)
  const close = withinOneCent(broker.fees, amounts.fees) && withinOneCent(investor.fees, amounts.fees)
  return close ? { source: 'computed', amounts } : null
}

function fillFees(broker, investor) {
  if (!sameFlow(broker, investor) || (broker.fees !== null && investor.fees !== null)) return null
  const amounts = withFees(broker)
  const stated = [broker, investor].find((side) => side.fees !== null)
  if (stated && stated.fees !== amounts.fees) return null
  return { source: stated ? nameOf(stated, broker) : 'computed', amounts }
}

function swapBack(broker, investor) {
  const [one, other] = [unswapped(broker), unswapped(investor)]
  if (!sameAmounts(one, other) || (one === broker && other === investor)) return null
  const source = one === broker ? 'broker' : other === investor ? 'investor' : 'computed'
  const { input_amount, output_amount, fees } = one
  return { source, amounts: { input_amount, output_amount, fees } }
}

function unswapped(side) {
  const swapped = { input_amount: side.output_amount, output_amount: side.input_amount, fees: side.fees }
  return !fits(side) && fits(swapped) ? swapped : side
}

function recomputeFees(broker, investor) {
  if (!sameFlow(broker, investor)) return null
  const amounts = withFees(broker)
  const stated = [broker, investor].find((side) => side.fees === amounts.fees)
  return { source: stated ? nameOf(stated, broker) : 'computed', amounts }
}

function takeTheFitting(broker, investor) {
  if (fits(broker) === fits(investor)) return null
  const side = fits(broker) ? broker : investor
  const { input_amount, output_amount, fees } = side
  return { source: nameOf(side, broker), amounts: { input_amount, output_amount, fees } }
}

function nameOf(side, broker) {
  return side === broker ? 'broker' : 'investor'
}
