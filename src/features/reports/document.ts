import type { ReportDocument } from './schema.ts'

type Table = ReportDocument['tables'][number]

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] as string)
}

const style = `
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1d21}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem}dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.5rem}
dt{color:#5c6470}dd{margin:0;font-variant-numeric:tabular-nums}table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #e3e6ea}.right{text-align:right;font-variant-numeric:tabular-nums}
p{white-space:pre-wrap}`

/** The report as one HTML page that needs nothing else. Every text of the document is escaped: a tool's output is never markup. */
export function renderHtml({ title, summary, facts, tables }: ReportDocument): string {
  const list = facts.map(({ label, value }) => `<dt>${escapeHtml(label)}</dt><dd>${escapeHtml(value)}</dd>`).join('')
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title><style>${style}</style></head>`,
    `<body><h1>${escapeHtml(title)}</h1>${summary ? `<p>${escapeHtml(summary)}</p>` : ''}<dl>${list}</dl>`,
    ...tables.map(renderTable),
    '</body></html>',
  ].join('\n')
}

function renderTable({ title, columns, rows }: Table): string {
  const classes = columns.map(({ align }) => (align === 'right' ? ' class="right"' : ''))
  const head = columns.map(({ label }, index) => `<th${classes[index]}>${escapeHtml(label)}</th>`).join('')
  const body = rows.map((row) => {
    const cells = columns.map(({ key }, index) => `<td${classes[index]}>${escapeHtml(String(row[key] ?? ''))}</td>`)
    return `<tr>${cells.join('')}</tr>`
  })
  return `<h2>${escapeHtml(title)}</h2>\n<table><thead><tr>${head}</tr></thead><tbody>\n${body.join('\n')}\n</tbody></table>`
}

/** A table as CSV (RFC 4180) with a header line. */
export function renderCsv({ columns, rows }: Table): string {
  const lines = [
    columns.map(({ label }) => field(label)),
    ...rows.map((row) => columns.map(({ key }) => field(row[key] ?? ''))),
  ]
  return lines.map((line) => `${line.join(',')}\r\n`).join('')
}

/** Text that a spreadsheet would run as a formula is defused with an apostrophe; numbers stay numbers. */
function field(value: string | number): string {
  const text = String(value)
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
