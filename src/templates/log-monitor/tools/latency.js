/** Median, 99th percentile and slow requests of the entries that say how long they took. */
export default function measure({ entries, slow_ms = 1000 }) {
  const took = entries.flatMap(({ tookMs }) => (tookMs === undefined ? [] : [tookMs])).sort((a, b) => a - b)
  const at = (share) => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0
  return {
    latency: {
      measured: took.length,
      medianMs: at(0.5),
      p99Ms: at(0.99),
      slow: took.filter((ms) => ms >= slow_ms).length,
      slowFromMs: slow_ms,
    },
  }
}
