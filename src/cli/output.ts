import { stripVTControlCharacters, styleText } from 'node:util'
import type { CliError } from './failure.ts'

type Style = Parameters<typeof styleText>[0]

/** Where results and remarks go. Results alone are on standard output, so that they can be piped. */
export interface Output {
  readonly json: boolean
  /** A result: `value` for machines, `text` for people. */
  result(value: unknown, text: string): void
  /** One of a series that has no end yet: a line of JSON, or a line of text. */
  item(value: unknown, text: string): void
  /** For people only. */
  note(text: string): void
  fail(error: CliError): void
  style(style: Style, text: string): string
}

export interface OutputOptions {
  readonly json: boolean
  readonly colors: boolean
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

export function createOutput({ json, colors, out, err }: OutputOptions): Output {
  const style = (format: Style, text: string) => (colors ? styleText(format, text, { validateStream: false }) : text)
  return {
    json,
    style,
    result: (value, text) => out(json ? `${toJson(value, 2)}\n` : `${text}\n`),
    item: (value, text) => out(json ? `${toJson(value)}\n` : `${text}\n`),
    note: (text) => {
      if (!json) err(`${text}\n`)
    },
    fail({ code, message, faults, requestId }) {
      if (json) return err(`${toJson({ code, message, faults, requestId })}\n`)
      err(
        `${style('red', 'error')} ${clean(message)} ${style('dim', `(${[code, requestId].filter(Boolean).join(', ')})`)}\n`,
      )
      for (const { file, path = '', line, reason } of faults) {
        const place = [file, path, line === undefined ? '' : `line ${line}`].filter(Boolean).join(' ')
        err(`  ${clean(place)}: ${clean(reason)}\n`)
      }
    },
  }
}

/** JSON leaves some characters that move a terminal's cursor as they are (DEL and C1); here they are escaped too. */
function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** What others wrote, without anything that moves a terminal's cursor or changes its colours; tab and newline stay. */
export function clean(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, (character) =>
    '\t\n'.includes(character) ? character : '',
  )
}

/** Rows as aligned columns under their titles. */
export function table(output: Output, titles: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return output.style('dim', 'none')
  const cells = rows.map((row) => row.map((cell) => clean(cell).replaceAll('\n', ' ')))
  const widths = titles.map((title, at) => Math.max(title.length, ...cells.map((row) => row[at]?.length ?? 0)))
  const lineOf = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd()
  return [output.style('bold', lineOf(titles)), ...cells.map(lineOf)].join('\n')
}

/** Names and values, one a line. */
export function facts(output: Output, pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length))
  return pairs.map(([name, value]) => `${output.style('dim', name.padEnd(width))}  ${clean(value)}`).join('\n')
}
