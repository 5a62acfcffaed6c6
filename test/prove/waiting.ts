import { startServices } from '../support/services.ts'
import { playWaiting } from './waiting-play.ts'

// npm run prove:waiting
//
// 20,000 runs wait for an approval (one that a worker brought there, and copies of all its rows). Must hold: none of them
// is held by a worker; an idle worker is as large as with one of them, within 10 %; its looks at the queue read no row
// more; and one of them, answered, goes on to its end while the others wait.

const runs = 20_000
const goals = { growth: 1.1, rowsMore: 1 }

const stops: (() => unknown)[] = []
const test = { teardown: (stop: () => unknown) => void stops.unshift(stop) }
const services = await startServices({ keycloak: false })
Object.assign(process.env, services.environment)
const found = await playWaiting(test, runs, 10).finally(async () => {
  for (const stop of stops) await stop()
  await services.stop()
})
const passed =
  found.heldWhileWaiting === 0 &&
  found.growth <= goals.growth &&
  found.after.rowsPerLook <= found.before.rowsPerLook + goals.rowsMore &&
  found.oneAnswered.completed &&
  found.oneAnswered.stillWaiting === found.waiting - 1
console.log(`before: ${JSON.stringify(found.before)}; with ${found.waiting} that wait: ${JSON.stringify(found.after)}`)
console.log(JSON.stringify({ prove: 'waiting', passed, goals, ...found }))
process.exit(passed ? 0 : 1)
