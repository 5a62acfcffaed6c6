import type { Activation, Memory } from './machine.ts'
import { type Branch, branchKey, type Fork, ownKey, type Place } from './state.ts'
import type { Walk } from './walk.ts'
import { charge, workOfFork } from './work.ts'

// Each branch of a fork works on memory as it was when the fork began, and on what it wrote itself.

/** A key as an activation sees it: what it, or what it works for, was given; else memory in its place. */
export function readFor(walk: Walk, activation: Activation, key: string): unknown {
  for (let at: Activation | undefined = activation; at; at = parentOf(walk, at)) {
    if (at.given?.includes(key)) return readOwn(walk, ownKey(at.step, key))
  }
  return readAt(walk, activation.place, key)
}

/** A key as it is in a branch; undefined when nothing has set it. */
export function readAt(walk: Walk, place: Place | undefined, key: string): unknown {
  for (let at = place; at; ) {
    charge(walk, workOfFork)
    const fork = forkOf(walk, at)
    if (fork.branches[at.branch]?.keys.includes(key)) return readOwn(walk, branchKey(at, key))
    at = fork.place
  }
  return readOwn(walk, key)
}

/** A key by its full name, such as ownKey gives it. */
export function readOwn({ writes, memory }: Walk, key: string): unknown {
  if (Object.hasOwn(writes, key)) return writes[key]
  return Object.hasOwn(memory, key) ? memory[key] : undefined
}

export function writeAt(walk: Walk, place: Place | undefined, values: Memory): void {
  if (!place) {
    Object.assign(walk.writes, values)
    return
  }
  const keys = new Set(branchOf(walk, place).keys)
  for (const [key, value] of Object.entries(values)) {
    walk.writes[branchKey(place, key)] = value
    keys.add(key)
  }
  changeBranch(walk, place, { keys: [...keys] })
}

/** Lets a key of the machine's own go. */
export function forget(walk: Walk, key: string): void {
  if (!Object.hasOwn(walk.memory, key)) delete walk.writes[key]
  else if (readOwn(walk, key) !== null) walk.writes[key] = null
}

export function parentOf(walk: Walk, { parent }: Activation): Activation | undefined {
  return parent && walk.activations.find(({ step }) => step === parent.step)
}

/** By step. A loop may nest hundreds of forks, and each key that a node reads is looked for in all of them. */
const indexes = new WeakMap<readonly Fork[], ReadonlyMap<number, Fork>>()

export function forkOf({ forks }: Walk, { fork }: Pick<Place, 'fork'>): Fork {
  const index = indexes.get(forks) ?? new Map(forks.map((one) => [one.step, one]))
  indexes.set(forks, index)
  const found = index.get(fork)
  if (!found) throw new Error(`there is no fork after step ${fork}`)
  return found
}

/** The forks that a place is in, the nearest first. */
export function forksAround(walk: Walk, place: Place): Fork[] {
  const around: Fork[] = []
  for (let at: Place | undefined = place; at; at = around.at(-1)?.place) around.push(forkOf(walk, at))
  return around
}

export function branchOf(walk: Walk, place: Place): Branch {
  return forkOf(walk, place).branches[place.branch] as Branch
}

export function changeBranch(walk: Walk, place: Place, change: Partial<Branch>): void {
  walk.forks = walk.forks.map((fork) => {
    if (fork.step !== place.fork) return fork
    const branches = fork.branches.map((branch, index) => (index === place.branch ? { ...branch, ...change } : branch))
    return { ...fork, branches }
  })
}
