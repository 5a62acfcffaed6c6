import { randomUUID } from 'node:crypto'

export interface Part {
  readonly name: string
  readonly content: string | Buffer
  /** A part with a file name is a file. */
  readonly fileName?: string
  readonly type?: string
}

/** A multipart/form-data body for app.inject, parts in the order given. */
export function form(parts: readonly Part[]): { headers: { 'content-type': string }; body: Buffer } {
  const boundary = randomUUID()
  const pieces = parts.flatMap(({ name, content, fileName, type }) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${fileName ? `; filename="${fileName}"` : ''}\r\n`,
    `Content-Type: ${type ?? (fileName ? 'application/octet-stream' : 'application/json')}\r\n\r\n`,
    content,
    '\r\n',
  ])
  const body = Buffer.concat([...pieces, `--${boundary}--\r\n`].map((piece) => Buffer.from(piece)))
  return { headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }, body }
}
