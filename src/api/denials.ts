import type { Doors } from '../db/doors.ts'

/**
 * Counts refusals and writes them once a second, per tenant, actor, route and code: a flood of refused requests
 * costs its tenant one row a minute, and the connections of everyone else nothing.
 */
export class Denials {
  readonly #doors: Doors
  readonly #onError: (error: unknown) => void
  readonly #waiting = new Map<string, { tenantId: string; actor: string; route: string; code: string; count: number }>()
  readonly #timer: NodeJS.Timeout

  constructor(doors: Doors, onError: (error: unknown) => void) {
    this.#doors = doors
    this.#onError = onError
    this.#timer = setInterval(() => void this.flush(), 1000).unref()
  }

  add(tenantId: string, actor: string, route: string, code: string): void {
    const key = `${tenantId} ${actor} ${route} ${code}`
    const found = this.#waiting.get(key)
    if (found) found.count += 1
    else this.#waiting.set(key, { tenantId, actor, route, code, count: 1 })
  }

  /** Writes what has been counted so far; a failure is reported and the counts are kept for the next second. */
  async flush(): Promise<void> {
    const batch = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const one of batch) {
      try {
        await this.#doors.recordDenial(one.tenantId, one.actor, one.route, one.code, one.count)
      } catch (error) {
        this.#onError(error)
        if (this.#waiting.size < 10_000) this.#waiting.set(`${one.tenantId} ${one.actor} ${one.route} ${one.code}`, one)
      }
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.flush()
  }
}
