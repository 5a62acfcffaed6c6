import Big from 'enginex:decimal'

const canonical = /^(0|[1-9]\d{0,14})\.\d\d$/
const decimal = /^-?\d{1,20}(\.\d{1,10})?$/

/** The largest share of the input that a fee may be before a person has to look. */
export const maxFeeShare = '0.1'

/**
 * One text per value, with two decimals or more, so that equal amounts are equal texts; null for an empty cell.
 * Throws a sentence that ends in the offending text.
 */
export function normalise(text) {
  const trimmed = (text ?? '').trim()
  if (trimmed === '') return null
  if (canonical.test(trimmed)) return trimmed
  if (!decimal.test(trimmed)) throw new Error(`is not a decimal number: "${trimmed.slice(0, 40)}"`)
  return format(new Big(trimmed))
}

/** Text of a decimal: at least two places, more only where the value has them. */
export function format(value) {
  const text = value.toFixed()
  const point = text.indexOf('.')
  return point >= 0 && text.length - point > 3 ? text : value.toFixed(2)
}

/** The exact fees that input and output leave. */
export function remainder({ input_amount, output_amount }) {
  return format(new Big(input_amount).minus(output_amount))
}

/** Whether input = output + fees, exactly. Missing fees satisfy nothing. */
export function isExact({ input_amount, output_amount, fees }) {
  return fees !== null && format(new Big(output_amount).plus(fees)) === input_amount
}

/** Whether any of the three amounts is below zero. */
export function isNegative({ input_amount, output_amount, fees }) {
  return [input_amount, output_amount, fees].some((amount) => amount?.startsWith('-'))
}

/** Whether the rule holds and no amount is negative. */
export function fits(amounts) {
  return !isNegative(amounts) && isExact(amounts)
}

/** Whether the fees are at most a tenth of the input. */
export function isPlausible({ input_amount, fees }) {
  return new Big(input_amount).times(maxFeeShare).gte(fees)
}

/** Whether both sides report the same input and output. */
export function sameFlow(one, other) {
  return one.input_amount === other.input_amount && one.output_amount === other.output_amount
}

/** Whether both sides report the same three amounts. */
export function sameAmounts(one, other) {
  return sameFlow(one, other) && one.fees === other.fees
}

/** Rounded half up to cents; null stays null. */
export function toCents(amount) {
  return amount === null ? null : new Big(amount).round(2, Big.roundHalfUp).toFixed(2)
}

/** Whether two amounts are at most one cent apart. */
export function withinOneCent(one, other) {
  return new Big(one).minus(other).abs().lte('0.01')
}
