/** Items, fields and portions of text that a condition may look at in one value. */
const maxWeight = 1000
const charactersPerWeight = 20
/** Objects inside objects that are opened to find small values in a large one. */
const maxDepth = 8

/** Stands for a list, text or object that is too large to look into. Conditions may ask for its size only. */
export class TooLarge {
  readonly size: number

  constructor(size: number) {
    this.size = size
  }
}

/**
 * The value as a condition may see it, so that an evaluation stays short: what is too heavy becomes TooLarge, and a
 * large object keeps those of its fields that are light. Light values are passed on as they are, never copied.
 */
export function limitValue(value: unknown, depth = 0): unknown {
  if (value === null || (typeof value !== 'object' && typeof value !== 'string')) return value
  if (weigh(value) <= maxWeight) return value
  if (typeof value === 'string' || Array.isArray(value)) return tooLarge(value.length)
  const fields = Object.entries(value)
  if (fields.length > maxWeight || depth >= maxDepth) return tooLarge(fields.length)
  return Object.fromEntries(fields.map(([key, field]) => [key, limitValue(field, depth + 1)]))
}

export function isTooLarge(value: unknown): value is TooLarge {
  return value instanceof TooLarge
}

/** One for each item, field and twenty characters. Stops counting soon after the limit. */
export function weigh(value: unknown, limit: number = maxWeight): number {
  if (isTooLarge(value)) return 1
  if (typeof value === 'string') return 1 + Math.floor(value.length / charactersPerWeight)
  if (value === null || typeof value !== 'object') return 1
  let weight = 1
  for (const key in value) {
    weight += 1 + weigh((value as Record<string, unknown>)[key], limit - weight)
    if (weight > limit) break
  }
  return weight
}

/** A loop over it would find no items and be true of all of them; so asking for its keys is an error. */
function tooLarge(size: number): TooLarge {
  return new Proxy(new TooLarge(size), {
    ownKeys() {
      throw new Error('TooLarge')
    },
  })
}
