import { type Activation, branchKey, type Fork, ownKey, type Place } from './state.ts'

/** A state, as far as one has to know it to say where memory holds what an activation reads. */
export interface Sight {
  readonly activations: readonly Pick<Activation, 'step' | 'inputMapping' | 'place' | 'parent' | 'given'>[]
  readonly forks: readonly Pick<Fork, 'step' | 'branches' | 'place'>[]
}

/** The full name in memory of a key as the node of this step reads it. For people who look at a run afterwards. */
export function nameIn({ activations, forks }: Sight, step: number, key: string): string {
  const activation = activations.find((one) => one.step === step)
  const source = activation?.inputMapping[key] ?? key
  for (let at = activation; at; at = parentOf(activations, at)) {
    if (at.given?.includes(source)) return ownKey(at.step, source)
  }
  for (let place = activation?.place; place; place = forkOf(forks, place)?.place) {
    if (forkOf(forks, place)?.branches[place.branch]?.keys.includes(source)) return branchKey(place, source)
  }
  return source
}

/** The full names under which memory may hold what the step wrote, the likeliest first. */
export function namesWritten({ activations }: Sight, step: number, key: string): string[] {
  const place = activations.find((one) => one.step === step)?.place
  return place ? [branchKey(place, key), key] : [key]
}

function parentOf(activations: Sight['activations'], { parent }: Sight['activations'][number]) {
  return parent && activations.find(({ step }) => step === parent.step)
}

function forkOf(forks: Sight['forks'], { fork }: Place) {
  return forks.find(({ step }) => step === fork)
}
