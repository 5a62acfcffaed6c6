const most = 20

/** Errors by service and message, the most frequent first. */
export default function count({ entries }) {
  const counts = new Map()
  const bad = entries.filter(({ level }) => level === 'ERROR' || level === 'FATAL')
  for (const { service, message } of bad) {
    const key = JSON.stringify([service, message])
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const rows = [...counts].map(([key, times]) => ({ service: JSON.parse(key)[0], message: JSON.parse(key)[1], times }))
  rows.sort((a, b) => b.times - a.times || (a.service < b.service ? -1 : 1))
  return { errors: { total: bad.length, share: share(bad.length, entries.length), top: rows.slice(0, most) } }
}

function share(part, whole) {
  return `${((100 * part) / whole).toFixed(1)} %`
}
