import { AppError } from '../errors.ts'

/** What one holder may do in a while: `burst` at once, and then as fast as `perMinute` gives back. */
export interface Rate {
  readonly perMinute: number
  readonly burst: number
}

export type Rates = (holder: string) => void

/** More holders than this are never remembered at once; those who have not used up anything need not be. */
const mostHolders = 10_000

/** Counts how often each holder came (a token bucket); throws too_many_requests for whoever comes too often. */
export function createRates({ perMinute, burst }: Rate, now: () => number): Rates {
  const buckets = new Map<string, { left: number; at: number }>()
  const filled = (bucket: { left: number; at: number }, at: number) =>
    Math.min(burst, bucket.left + ((at - bucket.at) * perMinute) / 60_000)
  return (holder) => {
    const at = now()
    const bucket = buckets.get(holder) ?? { left: burst, at }
    const left = filled(bucket, at)
    if (left < 1) throw new AppError('too_many_requests', 'this comes too often; wait a moment')
    if (!buckets.has(holder) && buckets.size >= mostHolders) {
      for (const [name, one] of buckets) if (filled(one, at) >= burst) buckets.delete(name)
    }
    buckets.set(holder, { left: left - 1, at })
  }
}
