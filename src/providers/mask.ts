const shownInstead = '[secret]'
/** What is shorter is no secret, and would be found in every other word. */
const minimum = 4
/** So much of a secret is taken for the secret. It bounds the search, whatever a stranger makes of secret and text. */
const headLength = 32

/**
 * Replaces every secret, also base64, URL, HTML, JSON and hex encoded ones and those inside of a longer base64 text,
 * whatever the case of their letters.
 */
export function createMask(secrets: readonly string[]): (text: string) => string {
  const forms = [...new Set(allForms(secrets).map(lowered))]
  if (forms.length === 0) return (text) => text
  const byHead = Map.groupBy(forms, (form) => form.slice(0, headLength))
  // The longest first: what is left of one that is a part of another would tell the rest.
  const heads = [...byHead.keys()].sort((a, b) => b.length - a.length)
  const pattern = new RegExp(heads.map(escaped).join('|'), 'g')
  return (text) => {
    const searched = lowered(text)
    const parts: string[] = []
    let end = 0
    pattern.lastIndex = 0
    for (let found = pattern.exec(searched); found; found = pattern.exec(searched)) {
      parts.push(text.slice(end, found.index), shownInstead)
      end = found.index + Math.max(...byHead.get(found[0])!.map((form) => alike(form, searched, found.index)))
      pattern.lastIndex = end
    }
    parts.push(text.slice(end))
    return parts.join('')
  }
}

/** How much of the end of a text may be the beginning of a secret in any of its forms, and waits for what follows. */
export function createOverlap(secrets: readonly string[]): (text: string) => number {
  const forms = allForms(secrets).map(lowered)
  const longest = Math.max(0, ...forms.map((form) => form.length - 1))
  return (text) => {
    const end = lowered(text.slice(Math.max(0, text.length - longest)))
    for (let at = 0; at < end.length; at += 1) {
      const rest = end.slice(at)
      if (forms.some((form) => form.length > rest.length && form.startsWith(rest))) return rest.length
    }
    return 0
  }
}

/** Of ASCII only, so that no text changes its length. */
function lowered(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

function allForms(secrets: readonly string[]): string[] {
  const long = secrets.filter((secret) => secret.length >= minimum)
  return [...new Set(long.flatMap((secret) => formsOf(secret.toWellFormed())))]
}

/** The same of every text, number and name in a value of JSON. It must not be nested deeply. */
export function maskAll(value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === 'string') return mask(value)
  if (typeof value === 'number') {
    const text = String(value)
    const masked = mask(text)
    return masked === text ? value : masked
  }
  if (Array.isArray(value)) return value.map((one) => maskAll(one, mask))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [mask(name), maskAll(one, mask)]))
}

/** How many characters of the form stand at this place of the text. */
function alike(form: string, text: string, at: number): number {
  let length = 0
  while (length < form.length && form[length] === text[at + length]) length += 1
  return length
}

function formsOf(secret: string): string[] {
  const url = encodeURIComponent(secret)
  const json = JSON.stringify(secret).slice(1, -1)
  const plain = [
    secret,
    url,
    url.replaceAll('%20', '+'),
    encodeURI(secret),
    json,
    json.replaceAll('/', '\\/'),
    ...["'", '&#39;', '&#x27;', '&#039;', '&apos;'].map((quote) => html(secret, quote)),
    hex(secret),
  ]
  const forms = [...plain, ...base64Forms(secret)]
  return forms.filter((form) => form.length >= minimum)
}

function html(secret: string, quote: string): string {
  const named = secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return named.replaceAll('"', '&quot;').replaceAll("'", quote)
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
