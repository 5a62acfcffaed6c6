const refused = /^sign-in refused\b.*\bfrom (\S{1,64})$/
const most = 20

/** Refused sign-ins by address, the most frequent first. */
export default function watch({ entries }) {
  const counts = new Map()
  for (const { message } of entries) {
    const address = refused.exec(message)?.[1]
    if (address) counts.set(address, (counts.get(address) ?? 0) + 1)
  }
  const rows = [...counts].map(([address, times]) => ({ address, times })).sort((a, b) => b.times - a.times)
  return { sign_ins: { refused: rows.reduce((sum, { times }) => sum + times, 0), top: rows.slice(0, most) } }
}
