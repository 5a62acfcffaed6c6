const shownInstead = '[secret]'
/** What is shorter is no secret, and would be found in every other word. */
const minimum = 4

/** Replaces every secret, also base64, URL and JSON encoded ones and those inside of a longer base64 text. */
export function createMask(secrets: readonly string[]): (text: string) => string {
  const forms = [
    ...new Set(
      secrets.filter((secret) => secret.length >= minimum).flatMap((secret) => formsOf(secret.toWellFormed())),
    ),
  ]
  if (forms.length === 0) return (text) => text
  // The longest first: what is left of one that is a part of another would tell the rest.
  const pattern = new RegExp(
    forms
      .sort((a, b) => b.length - a.length)
      .map(escaped)
      .join('|'),
    'gi',
  )
  return (text) => text.replace(pattern, shownInstead)
}

/** The same of every text and name in a value of JSON. It must not be nested deeply. */
export function maskAll(value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === 'string') return mask(value)
  if (Array.isArray(value)) return value.map((one) => maskAll(one, mask))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [mask(name), maskAll(one, mask)]))
}

function formsOf(secret: string): string[] {
  const url = encodeURIComponent(secret)
  const plain = [
    secret,
    url,
    url.replaceAll('%20', '+'),
    encodeURI(secret),
    JSON.stringify(secret).slice(1, -1),
    hex(secret),
  ]
  const forms = [...plain, ...base64Forms(secret)]
  return forms.filter((form) => form.length >= minimum)
}

function hex(secret: string): string {
  return Buffer.from(secret).toString('hex')
}

/** A text in base64 looks in three ways, by where it begins in a longer one; its ends depend on its neighbours. */
function base64Forms(secret: string): string[] {
  const bytes = Buffer.from(secret)
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64')
    const head = Math.ceil((offset * 8) / 6)
    const whole = Math.floor(((offset + bytes.length) * 8) / 6)
    const inner = encoded.slice(head, whole)
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
}
