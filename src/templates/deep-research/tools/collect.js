const mostPerPart = 10

/** Every finding with a number, {number, part, statement, source}; and the parts that have none. */
export default function collect({ parts, researched }) {
  const found = parts.map((part, index) => findingsOf(part, researched?.[index]?.findings))
  const sources = found.flat().map((finding, index) => ({ number: index + 1, ...finding }))
  const open = parts.filter((_, index) => found[index].length === 0)
  return { sources, open_parts: open, open_count: open.length }
}

/** Findings without a source cannot be checked, so they are none. */
function findingsOf(part, findings) {
  const list = Array.isArray(findings) ? findings : []
  return list
    .map((finding) => ({ part, statement: text(finding?.statement), source: text(finding?.source) }))
    .filter(({ statement, source }) => statement !== '' && source !== '')
    .slice(0, mostPerPart)
}

function text(value) {
  return typeof value === 'string' ? value.trim().slice(0, 1000) : ''
}
