/** time level service "message" 812ms; the duration may be missing. */
const line = /^(\S+)\s+(DEBUG|INFO|WARN|ERROR|FATAL)\s+(\S+)\s+"([^"]{0,500})"(?:\s+(\d{1,9})ms)?\s*$/
const most = 20_000

/** The lines that can be read, as entries; how many could not. Fails when there is not one. */
export default function parse({ log }) {
  const lines = log.split('\n').filter((text) => text.trim() !== '')
  if (lines.length > most) throw new Error(`the log has ${lines.length} lines; ${most} fit into one run`)
  const entries = lines.map(read).filter((entry) => entry !== null)
  if (entries.length === 0)
    throw new Error('no line of the log can be read; expected: time LEVEL service "message" 12ms')
  return { entries, line_count: lines.length, unread_lines: lines.length - entries.length }
}

function read(text) {
  const match = line.exec(text)
  if (!match) return null
  const [, time, level, service, message, took] = match
  return { time, level, service, message, ...(took === undefined ? {} : { tookMs: Number(took) }) }
}
