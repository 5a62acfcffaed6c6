import { AppError } from '../errors.ts'
import { shapeOf } from './json-shape.ts'
import { maskAll } from './mask.ts'

export interface HttpAnswer {
  readonly status: number
  /** Those that an agent may need, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  /** JSON where the answer says that it is JSON, else its text. Null without one. */
  readonly body: unknown
}

const maxBytes = 1024 * 1024
const maxDepth = 60
const maxHeader = 2000
const shownHeaders =
  /^(content-type|content-language|etag|last-modified|link|location|retry-after|x-request-id|(x-)?ratelimit(-.*)?)$/
const json = /^application\/(.+\+)?json\b/i
const textual = /^(text\/|application\/(.+\+)?(xml|yaml|javascript|x-www-form-urlencoded|x-ndjson|graphql)\b)/i

/** Reads an answer within bounds and hides secrets in it. Throws http_bad_answer for what is too large or no text. */
export async function readHttpAnswer(
  answer: Response,
  host: string,
  mask: (text: string) => string,
): Promise<HttpAnswer> {
  const { status } = answer
  const headers = Object.fromEntries(
    [...answer.headers]
      .filter(([name]) => shownHeaders.test(name))
      .map(([name, value]) => [name, mask(value).slice(0, maxHeader)]),
  )
  const bytes = await readBytes(answer, host)
  const mediaType = answer.headers.get('content-type') ?? ''
  if (bytes.length === 0) return { status, headers, body: null }
  const text = decode(bytes, mediaType)
  if (text === undefined) {
    const what = mediaType ? mediaType.slice(0, 100) : 'something that is no text'
    throw new AppError(
      'http_bad_answer',
      mask(`${host} answered ${status} with ${what}; only text and JSON can be read`),
    )
  }
  return { status, headers, body: json.test(mediaType) ? parse(text, host, mask) : mask(text) }
}

async function readBytes(answer: Response, host: string): Promise<Buffer> {
  const tooLarge = () => new AppError('http_bad_answer', `${host} answered more than 1 MB; ask it for less`)
  if (Number(answer.headers.get('content-length')) > maxBytes) {
    await answer.body?.cancel()
    throw tooLarge()
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of answer.body ?? []) {
    size += chunk.byteLength
    if (size > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function decode(bytes: Buffer, mediaType: string): string | undefined {
  if (mediaType && !json.test(mediaType) && !textual.test(mediaType)) return undefined
  const charset = /charset="?([\w-]{1,40})/i.exec(mediaType)?.[1] ?? 'utf-8'
  try {
    const text = new TextDecoder(charset, { fatal: true }).decode(bytes)
    return text.includes('\0') ? undefined : text
  } catch {
    return undefined
  }
}

/** What says that it is JSON and is not comes back as it is. */
function parse(text: string, host: string, mask: (text: string) => string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return mask(text)
  }
  if (shapeOf(text).depth <= maxDepth) return maskAll(value, mask)
  throw new AppError('http_bad_answer', `${host} answered JSON that is nested deeper than ${maxDepth}`)
}
