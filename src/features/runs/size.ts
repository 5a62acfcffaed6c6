import { type RawBuilder, sql } from 'kysely'

/** Of all that a run remembers: it is in a worker's memory while the run is in hand, beside those of others. */
export const maxRunSize = 96 * 1024 * 1024

/** What an object, a list or a field costs beside its characters, roughly. */
const perValue = 32

/** What a value takes up in a worker's memory, from its JSON text: `{}` a million times is small as text only. */
export function sizeOf(json: string): number {
  let values = 0
  for (let at = 0; at < json.length; at += 1) {
    const character = json.charCodeAt(at)
    if (character === 0x2c || character === 0x5b || character === 0x7b) values += 1
  }
  return json.length + perValue * values
}

/** The same of a jsonb column, but for the spaces that PostgreSQL writes. */
export function sizeOfColumn(column: RawBuilder<unknown>): RawBuilder<number> {
  const text = sql`${column}::text`
  return sql`length(${text}) + ${perValue}::int * (length(${text}) - length(translate(${text}, ',[{', '')))`
}
