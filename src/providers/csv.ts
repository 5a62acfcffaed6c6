import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { setImmediate as others } from 'node:timers/promises'
import { CsvError, type Info, parse } from 'csv-parse'
import { AppError, type Fault } from '../errors.ts'
import { checkJson } from './json-schema.ts'

/** JSON Schema of a CSV file's rows, as an input property's `contentSchema` says it. Every value is text. */
export interface RowsSchema {
  readonly maxItems?: number
  readonly items?: { readonly required?: readonly string[] }
  /** A column whose values must differ. */
  readonly uniqueBy?: string
}

export type CsvRow = Record<string, string>

const mostRows = 100_000
const mostColumns = 500
/** Rows times columns: what a row costs in memory is its columns, be they empty. */
const mostCells = 5_000_000
/** Cells after which others get their turn: this thread serves all of them. */
const cellsAtOnce = 10_000
const mostFaults = 20
const mostBytes = 64 * 1024 * 1024
const recordBytes = 64 * 1024

/**
 * Reads a CSV file with a header line, UTF-8 with or without BOM. Throws input_invalid with the file, line and reason of
 * up to 20 faults: a missing column, a value that does not fit its schema, a row too long or too short, a repeated id,
 * text that is not UTF-8. Memory grows with the rows: at most 100,000, of 500 columns, 5 million values and 64 MB. The
 * source is closed in any case.
 */
export async function readCsv(source: Readable | string, file: string, schema: RowsSchema): Promise<CsvRow[]> {
  const rows: CsvRow[] = []
  await scan(source, file, schema, (row) => rows.push(row))
  return rows
}

/** The same checks, keeping no row: memory grows with the values of `uniqueBy` alone. */
export async function checkCsv(source: Readable | string, file: string, schema: RowsSchema): Promise<void> {
  await scan(source, file, schema, () => undefined)
}

async function scan(
  source: Readable | string,
  file: string,
  schema: RowsSchema,
  take: (row: CsvRow) => unknown,
): Promise<void> {
  const faults: Fault[] = []
  const most = Math.min(schema.maxItems ?? mostRows, mostRows)
  let count = 0
  let columns = 0
  const fail = (reason: string, line?: number) => {
    faults.push({ file, ...(line ? { line } : {}), reason })
    return faults.length >= mostFaults
  }
  try {
    const check = rowCheck(schema)
    for await (const { record, info } of records(source, schema.items?.required ?? [])) {
      if (count >= most) {
        fail(`more than ${most} rows`, info.lines)
        break
      }
      if (check(record).some((reason) => fail(reason, info.lines))) break
      count += 1
      columns ||= Object.keys(record).length
      const cells = count * columns
      if (cells > mostCells) {
        fail(`more than ${mostCells} values`, info.lines)
        break
      }
      if (cells % cellsAtOnce < columns) await others()
      take(record)
    }
  } catch (error) {
    fail(...reasonOf(error))
  }
  if (faults.length === 0) return
  const { line, reason } = faults[0]!
  throw new AppError('input_invalid', `${file}${line ? ` line ${line}` : ''}: ${reason}`, { faults })
}

async function* records(source: Readable | string, required: readonly string[]) {
  const bytes = typeof source === 'string' ? createReadStream(source) : source
  let headed = false
  const parser = parse({
    bom: true,
    info: true,
    skip_empty_lines: true,
    max_record_size: recordBytes,
    columns: (header: string[]) => {
      headed = true
      return checkedHeader(header, required)
    },
  })
  const text = Readable.from(decoded(bytes))
  text.on('error', (error) => parser.destroy(error))
  try {
    for await (const record of text.pipe(parser)) yield record as { record: CsvRow; info: Info }
  } finally {
    bytes.destroy()
  }
  if (!headed) throw new Refused('the file is empty; it needs a header line')
}

async function* decoded(bytes: Readable) {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let read = 0
  try {
    for await (const chunk of bytes) {
      read += (chunk as Buffer).length
      if (read > mostBytes) throw new Refused(`it is larger than ${mostBytes / 1024 / 1024} MB`)
      const text = decoder.decode(chunk as Buffer, { stream: true })
      if (text.includes('\0')) throw new Refused('it has NUL characters, so it is not a text file')
      if (text) yield text
    }
    yield decoder.decode()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
      throw new Refused('the text is not UTF-8; save the file as UTF-8')
    }
    throw error
  }
}

/** A fault of the file itself, in words for the person who sent it. */
class Refused extends Error {}

function checkedHeader(header: string[], required: readonly string[]): string[] {
  const names = header.map((name) => name.trim())
  if (names.length > mostColumns) throw new Refused(`the header line has more than ${mostColumns} columns`)
  const missing = required.filter((name) => !names.includes(name))
  if (missing.length > 0) throw new Refused(`the header line lacks the column ${missing.join(', ')}`)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Refused(`the header line has the column ${twice || '(empty)'} twice`)
  if (names.some((name) => ['__proto__', 'constructor', 'prototype'].includes(name)))
    throw new Refused('a column has a name that is not allowed')
  return names
}

function rowCheck({ items = {}, uniqueBy }: RowsSchema): (row: CsvRow) => string[] {
  const seen = new Set<string>()
  return (row) => {
    const reasons = checkJson(items, row, '').map(({ path, reason }) => `column ${path?.slice(1) ?? ''}: ${reason}`)
    const id = uniqueBy === undefined ? undefined : row[uniqueBy]
    if (id !== undefined && seen.has(id)) reasons.push(`column ${uniqueBy}: ${id} stands in an earlier row already`)
    if (id !== undefined) seen.add(id)
    return reasons
  }
}

function reasonOf(error: unknown): [reason: string, line?: number] {
  if (error instanceof Refused) return [error.message]
  if (!(error instanceof CsvError)) throw error
  const line = Number((error as CsvError & { lines?: number }).lines) || undefined
  if (error.code === 'CSV_RECORD_INCONSISTENT_COLUMNS')
    return ['the row has more or fewer values than the header line', line]
  if (error.code === 'CSV_MAX_RECORD_SIZE') return ['a row is longer than 64 KB; is a quote missing?', line]
  return [error.message, line]
}
