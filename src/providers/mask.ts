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
  const search = searchFor(secrets)
  return search ? (text) => cover(text, search, false).covered : (text) => text
}

/**
 * The same for a text that comes in pieces: `held` is what may be the beginning of a secret, and is to be put in front of
 * the next piece.
 */
export function createStreamMask(secrets: readonly string[]): (text: string) => { covered: string; held: string } {
  const search = searchFor(secrets)
  return search ? (text) => cover(text, search, true) : (text) => ({ covered: text, held: '' })
}

interface Search {
  readonly forms: readonly string[]
  readonly byHead: ReadonlyMap<string, readonly string[]>
  /** Of any head, the longest first: what is left of one that is a part of another would tell the rest. */
  readonly pattern: RegExp
}

function searchFor(secrets: readonly string[]): Search | null {
  const forms = [...new Set(allForms(secrets).map(lowered))]
  if (forms.length === 0) return null
  const byHead = Map.groupBy(forms, (form) => form.slice(0, headLength))
  const heads = [...byHead.keys()].sort((a, b) => b.length - a.length)
  return { forms, byHead, pattern: new RegExp(heads.map(escaped).join('|'), 'g') }
}

function cover(text: string, { forms, byHead, pattern }: Search, open: boolean): { covered: string; held: string } {
  const searched = lowered(text)
  const parts: string[] = []
  let end = 0
  let waits = text.length // from here on it may be the beginning of a secret
  pattern.lastIndex = 0
  for (let found = pattern.exec(searched); found; found = pattern.exec(searched)) {
    const { index } = found
    const after = index + Math.max(...byHead.get(found[0])!.map((form) => alike(form, searched, index)))
    parts.push(text.slice(end, index))
    end = index
    if (open && mayGoOn(forms, searched.slice(index))) {
      waits = index
      break
    }
    parts.push(shownInstead)
    end = after
    pattern.lastIndex = end
  }
  for (let at = open ? Math.max(end, text.length - headLength) : waits; at < waits; at += 1) {
    if (mayGoOn(forms, searched.slice(at))) waits = at
  }
  parts.push(text.slice(end, waits))
  return { covered: parts.join(''), held: text.slice(waits) }
}

/** Whether this end of a text is the beginning of something longer that is secret. */
function mayGoOn(forms: readonly string[], rest: string): boolean {
  return forms.some((form) => form.length > rest.length && form.startsWith(rest))
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
