import { InvalidArgumentError, Option } from 'commander'

/** How many items of a list are shown. */
export function limitOption(): Option {
  return new Option('--limit <n>', 'how many at most').default(50).argParser((text) => {
    const value = Number(text)
    if (Number.isSafeInteger(value) && value > 0) return value
    throw new InvalidArgumentError('it must be a whole number above 0')
  })
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
