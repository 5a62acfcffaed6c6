import type { Sample, Totals } from '../../src/templates/hourly-tracking/sample/generate.ts'

// Independent arithmetic: whole cents straight from the text, with nothing of the package.

export type Row = Record<string, string>

export interface Report {
  title: string
  summary: string
  facts: { label: string; value: string }[]
  tables: { name: string; rows: Row[] }[]
}

/** The rows of one table of the report. */
export function tableOf(report: Report, name: string): Row[] {
  return report.tables.find((table) => table.name === name)!.rows
}

/** The rows of a CSV without quotes. */
export function linesOf(csv: string): Row[] {
  const [head, ...lines] = csv.trimEnd().split('\n')
  const keys = head!.split(',')
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, index) => [keys[index]!, cell])))
}

function cents(text: string): bigint {
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)!
  return BigInt(`${sign}${whole}${fraction.padEnd(2, '0')}`)
}

/** A row's three amounts in whole cents; no fees count as none. Throws for what is not a decimal. */
export function centsOf(row: Row): [input: bigint, output: bigint, fees: bigint] {
  return [cents(row.input_amount!), cents(row.output_amount!), cents(row.fees || '0')]
}

function addTo(sums: Record<string, Totals>, currency: string, [input, output, fees]: bigint[]): void {
  sums[currency] ??= { rows: 0, inputCents: 0n, outputCents: 0n, feesCents: 0n }
  const sum = sums[currency]
  sum.rows += 1
  sum.inputCents += input!
  sum.outputCents += output!
  sum.feesCents += fees!
}

/** The totals that must come out: the generator's truth and the rows a person let in. */
export function sumsOf(sample: Sample, decided: Row[]): Record<string, Totals> {
  const sums = structuredClone(sample.expected.undisputed) as Record<string, Totals>
  for (const row of decided) addTo(sums, row.currency!, centsOf(row))
  return sums
}

/** The stored transactions, added up anew. */
export function ledgerSums(report: Report): Record<string, Totals> {
  const sums: Record<string, Totals> = {}
  for (const row of tableOf(report, 'transactions')) addTo(sums, row.currency!, centsOf(row))
  return sums
}

/** What the report itself claims. */
export function totalsOf(report: Report): Record<string, Totals> {
  return Object.fromEntries(
    tableOf(report, 'totals').map((row) => {
      const [inputCents, outputCents, feesCents] = centsOf(row)
      return [row.currency, { rows: Number(row.rows), inputCents, outputCents, feesCents }]
    }),
  )
}

/** Every transaction that the report stores or excludes, as often as it does. */
export function settledIds(report: Report): string[] {
  return [...tableOf(report, 'transactions'), ...tableOf(report, 'excluded')].map((row) => row.transaction_id!).sort()
}

/** Every transaction that stands in either file, once. */
export function reportedIds(sample: Sample): string[] {
  const rows = [...linesOf(sample.broker), ...linesOf(sample.investor)]
  return [...new Set(rows.map((row) => row.transaction_id!))].sort()
}
