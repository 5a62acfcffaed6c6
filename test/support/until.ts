import { setTimeout as delay } from 'node:timers/promises'

/** Waits until the condition gives something truthy, and gives that. Throws after timeoutMs with what was waited for. */
export async function until<T>(
  what: string,
  condition: () => Promise<T> | T,
  timeoutMs = 20_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const found = await condition()
    if (found) return found as NonNullable<Exclude<T, false>>
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`)
    await delay(10)
  }
}
