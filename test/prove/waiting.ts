import { conclude, onStage, stage } from '../support/stage.ts'
import { playWaiting } from './waiting-play.ts'

// npm run prove:waiting
//
// 20,000 runs wait for an approval (one that a worker brought there, and copies of all its rows). Must hold: none of them
// is held by a worker; an idle worker is as large as with one of them, within 10 %; its looks at the queue read no row
// more; and one of them, answered, goes on to its end while the others wait.

const runs = 20_000
const goals = { growth: 1.1, rowsMore: 1 }

const found = await onStage({}, () => playWaiting(stage, runs, 10))
const passed =
  found.heldWhileWaiting === 0 &&
  found.growth <= goals.growth &&
  found.after.rowsPerLook <= found.before.rowsPerLook + goals.rowsMore &&
  found.oneAnswered.completed &&
  found.oneAnswered.stillWaiting === found.waiting - 1
console.log(`before: ${JSON.stringify(found.before)}; with ${found.waiting} that wait: ${JSON.stringify(found.after)}`)
conclude({ prove: 'waiting', passed, goals, ...found })
