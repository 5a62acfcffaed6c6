import t from 'tap'
import type { Effect } from '../../src/engine/machine.ts'
import { broken } from './invariants.ts'
import { type Played, play } from './play.ts'
import { chanceOf, randomPackage } from './random-package.ts'
import { randomWorld } from './random-world.ts'

const graphs = 2000
const seed = 20260501

t.test(`${graphs} random graphs end the same, in whatever order their effects are answered`, async (t) => {
  let forked = 0
  for (let index = 0; index < graphs; index++) {
    const chance = chanceOf(seed + index)
    const pkg = randomPackage(chance, { counting: true })
    const world = randomWorld(seed + index, whatItSays)
    const options = { input: { a: 1, b: 2, l: [3, 1, 2] } }
    const played = play(pkg, world, options)
    const other = play(pkg, world, { ...options, pick: (open) => chance.below(open.length) })
    const problem = broken(pkg, other)
    if (problem || endOf(played) !== endOf(other)) {
      t.fail(`graph ${index}: ${problem ?? `${endOf(played)} or ${endOf(other)}`}`, { graph: pkg.manifest.graph })
      return
    }
    if (played.transitions.some(({ state }) => state.forks.length > 0)) forked += 1
  }
  t.ok(forked > 400, `${forked} of them forked`)
})

/** What an effect is about, without its call, whose number depends on the order. */
function whatItSays(effect: Effect): string {
  const { call: _, step: __, ...rest } = effect
  return JSON.stringify(rest).replaceAll(/call_[0-9_]+/g, 'call')
}

function endOf({ last, memory }: Played): string {
  const own = Object.entries(memory).filter(([key]) => !key.startsWith('$'))
  const visits = Object.entries(last.state.visits)
  return JSON.stringify([last.status, last.error, last.score, own.sort(), visits.sort()])
}
