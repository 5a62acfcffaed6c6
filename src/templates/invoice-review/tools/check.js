import Big from 'enginex:decimal'

const decimal = /^-?\d{1,20}(\.\d{1,10})?$/

/**
 * Checks an extracted invoice in decimal arithmetic and proposes its booking. `check_notes` names what failed, for the
 * model to read again. Fails only when there is no invoice at all.
 */
export default function check({ invoice: extracted, expected_total }) {
  const invoice = toInvoice(extracted)
  const checks = [
    ...['supplier', 'invoice_number', 'invoice_date', 'currency'].map((key) => isPresent(invoice, key)),
    ...invoice.lines.map(lineAddsUp),
    sumIs(
      'lines add up to the net total',
      invoice.lines.map((line) => line.amount),
      invoice.net_total,
    ),
    sumIs('net total + tax = gross total', [invoice.net_total, invoice.tax_total], invoice.gross_total),
  ]
  if (expected_total) checks.push(sumIs('gross total is the expected total', [invoice.gross_total], expected_total))
  const failed = checks.filter((entry) => entry.result === 'failed')
  return {
    lines: invoice.lines,
    checks,
    checks_passed: failed.length === 0,
    failed_count: failed.length,
    check_notes: failed.map(({ check: name, detail }) => `${name}: ${detail}`).join('\n'),
    booking: bookingOf(invoice),
  }
}

/** A model may hand over an object or its JSON text, numbers or texts: one shape from here on. */
function toInvoice(extracted) {
  const invoice = typeof extracted === 'string' ? parse(extracted) : extracted
  if (!invoice || typeof invoice !== 'object') throw new Error('the model extracted no invoice')
  const lines = Array.isArray(invoice.lines) ? invoice.lines : []
  const keys = [
    'supplier',
    'invoice_number',
    'invoice_date',
    'due_date',
    'currency',
    'net_total',
    'tax_total',
    'gross_total',
  ]
  return {
    ...texts(invoice, keys),
    lines: lines.map((line) => texts(line, ['description', 'quantity', 'unit_price', 'amount'])),
  }
}

function parse(text) {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function texts(source, keys) {
  return Object.fromEntries(keys.map((key) => [key, String(source?.[key] ?? '').trim()]))
}

function isPresent(invoice, key) {
  return entry(`${key.replace('_', ' ')} is stated`, invoice[key] !== '', invoice[key] || 'missing')
}

function lineAddsUp({ description, quantity, unit_price, amount }, index) {
  const name = `line ${index + 1} (${description.slice(0, 40)}): quantity x price = amount`
  const wrong = notDecimal([quantity, unit_price, amount])
  if (wrong !== undefined) return entry(name, false, `"${wrong}" is not a number`)
  const product = new Big(quantity).times(unit_price).round(2, Big.roundHalfUp)
  return entry(name, product.eq(amount), `${quantity} x ${unit_price} = ${product.toFixed(2)}, stated ${amount}`)
}

function sumIs(name, parts, total) {
  const wrong = notDecimal([...parts, total])
  if (wrong !== undefined) return entry(name, false, `"${wrong}" is not a number`)
  const sum = parts.reduce((before, part) => before.plus(part), new Big(0))
  return entry(name, sum.eq(total), `${sum.toFixed(2)}, stated ${total}`)
}

function notDecimal(values) {
  return values.find((value) => !decimal.test(value))
}

function entry(check, passed, detail) {
  return { check, result: passed ? 'passed' : 'failed', detail }
}

function bookingOf({ supplier, invoice_number, invoice_date, due_date, currency, net_total, tax_total, gross_total }) {
  return { supplier, invoice_number, invoice_date, due_date, currency, net_total, tax_total, gross_total, account: '' }
}
