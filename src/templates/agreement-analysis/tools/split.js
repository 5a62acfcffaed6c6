/** 1. or 2.3 or 4) at the beginning of a line, with what stands behind it on that line. */
const heading = /^[ \t]*(\d{1,3}(?:\.\d{1,3}){0,3})[.)]?[ \t]+(\S.*)$/
const longest = 4000
const most = 80

/**
 * The numbered clauses of an agreement, in order: {number, title, text}. What stands before the first number is clause
 * "0"; a text without numbers is cut at its blank lines. Fails when there are more clauses than a run can read.
 */
export default function split({ agreement_text }) {
  const clauses = numbered(agreement_text.split(/\r?\n/))
  const found = clauses.length > 1 ? clauses : paragraphs(agreement_text)
  if (found.length > most)
    throw new Error(`there are ${found.length} clauses; split the agreement, ${most} fit into one run`)
  return { clauses: found, clause_count: found.length }
}

function numbered(lines) {
  const clauses = [{ number: '0', lines: [] }]
  for (const line of lines) {
    const match = heading.exec(line)
    if (match) clauses.push({ number: match[1], lines: [match[2]] })
    else clauses.at(-1).lines.push(line)
  }
  return clauses.map(({ number, lines }) => clauseOf(number, lines.join('\n'))).filter(({ text }) => text !== '')
}

function paragraphs(text) {
  return text
    .split(/(?:\r?\n[ \t]*){2,}/)
    .filter((paragraph) => paragraph.trim() !== '')
    .map((paragraph, index) => clauseOf(String(index + 1), paragraph))
}

function clauseOf(number, text) {
  const whole = text.trim()
  const [title = ''] = whole.split('\n')
  return { number, title: title.slice(0, 120), text: whole.slice(0, longest) }
}
