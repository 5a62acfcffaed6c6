import type { GuardOptions } from './http.ts'

/** The guarded fetch of http.ts, loaded by its first use: many a process never asks anybody. */
export function createOutgoing(options: GuardOptions): typeof fetch {
  let loaded: Promise<typeof fetch> | undefined
  return async (input, init) => {
    loaded ??= import('./http.ts').then(({ createGuardedFetch }) => createGuardedFetch(options))
    return await (await loaded)(input, init)
  }
}
