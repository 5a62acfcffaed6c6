import type { Memory } from './machine.ts'
import { forget, forkOf, readOwn, writeAt } from './memory.ts'
import { type Branch, branchKey } from './state.ts'
import type { Walk } from './walk.ts'

/**
 * Takes a fork out, and what its branches wrote into the memory around it. Of a key that several wrote, the branch
 * counts that the policy says, in the order of their edges; one that did not succeed counts only where no other does.
 * @returns the keys that several branches wrote that succeeded
 */
export function merge(walk: Walk, step: number): string[] {
  const { place, branches } = forkOf(walk, { fork: step })
  const all = branches.map(({ status, keys }, branch) => ({ branch, keys, weak: isWeak(status) }))
  if (walk.plan.manifest.graph.conflictPolicy === 'first') all.reverse()
  const values: Memory = {}
  const writers = new Map<string, number>()
  for (const { branch, keys, weak } of [...all.filter((one) => one.weak), ...all.filter((one) => !one.weak)]) {
    for (const key of keys) {
      const own = branchKey({ fork: step, branch }, key)
      values[key] = readOwn(walk, own)
      forget(walk, own)
      if (!weak) writers.set(key, (writers.get(key) ?? 0) + 1)
    }
  }
  walk.forks = walk.forks.filter((other) => other.step !== step)
  writeAt(walk, place, values)
  return [...writers].filter(([, count]) => count > 1).map(([key]) => key)
}

function isWeak(status: Branch['status']): boolean {
  return status === 'failed' || status === 'rejected'
}
