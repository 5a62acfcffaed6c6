/**
 * JavaScript that runs inside a new interpreter before any code of a package: an expression whose value takes
 * `{ emit, now, seed }`. It gives the tool a console, a random source, and when asked a clock that stands still.
 */
export const globalsSource = `({ emit, now, seed }) => {
  const { stringify } = JSON
  const text = (value) => {
    if (typeof value === 'string') return value
    if (value instanceof Error) return String(value)
    try { return stringify(value) ?? String(value) } catch { return String(value) }
  }
  const write = (...values) => emit(values.map(text).join(' '))
  globalThis.console = { log: write, info: write, warn: write, error: write, debug: write }

  if (now !== undefined) {
    const RealDate = Date
    const StillDate = function Date(...parts) {
      if (!new.target) return new RealDate(now).toString()
      return Reflect.construct(RealDate, parts.length > 0 ? parts : [now], new.target)
    }
    StillDate.prototype = RealDate.prototype
    StillDate.prototype.constructor = StillDate
    StillDate.now = () => now
    StillDate.parse = RealDate.parse
    StillDate.UTC = RealDate.UTC
    globalThis.Date = StillDate
  }

  // The interpreter's own source of chance begins anew with its memory. sfc32: small, fast, passes the usual tests.
  let [a, b, c, d] = seed
  Math.random = () => {
    const sum = (a + b + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum | 0
    return (sum >>> 0) / 4294967296
  }
}`
