import { conclude, onStage, stage } from '../support/stage.ts'
import { play } from './takeover-play.ts'

// npm run prove:takeover [-- SEED]
//
// 200 runs of ten steps (six effects outside, two approvals, a tool, a report) of ten organizations go over two worker
// processes. For three minutes, every one to five seconds, one of these: kill -9 of a worker with the process of its runs,
// or of that process alone; SIGSTOP and, up to 25 s later, SIGCONT, of the worker alone or with its runs; SIGTERM;
// an orderly or a disorderly restart of PostgreSQL (with fsync). Whoever ends is replaced. Then it waits for the end.
//
// Must hold: every run is completed; each effect reached the server under exactly one key of its own (how often a key was
// repeated is counted apart: that is what the key is for); every step once, in its first attempt; two approvals and one
// report of each run; every confirmed answer is there; streams without gaps, doubles or events of another run; SIGTERM
// ends a worker with exit code 0 within 10 s; and 99 of 100 takeovers come within 30 s of the last sign of life of the
// worker before. That sign is up to 5 s older than the kill, so the time is counted in our disfavour.

const goals = { takeoverP99: 30, drainMs: 10_000 }
const seed = Number(process.argv[2] ?? Math.floor(Math.random() * 1e9))
console.log(`seed ${seed}`)

const begun = performance.now()
const { figures, faults, expectedEffects } = await onStage({ durable: true }, ({ restartPostgres }) =>
  play(stage, {
    seed,
    runs: 200,
    tenants: 10,
    disturbedMs: 180_000,
    pauseMs: [1000, 5000],
    stopMs: [1000, 25_000],
    effectMs: 1500,
    restartDatabase: restartPostgres,
    log: (text) => console.log(`${((performance.now() - begun) / 1000).toFixed(1)} s: ${text}`),
  }),
)
if (figures.effects !== expectedEffects) faults.push(`${figures.effects} effects instead of ${expectedEffects}`)
if (figures.runs < 200) faults.push(`only ${figures.runs} runs`)
if (figures.p99 > goals.takeoverP99) faults.push(`takeover p99 ${figures.p99} s`)
const late = figures.drains.filter(({ code, ms }) => code !== 0 || ms > goals.drainMs)
if (late.length > 0) faults.push(`SIGTERM ended badly: ${JSON.stringify(late)}`)
for (const fault of faults.slice(0, 20)) console.log(`fault: ${fault}`)
conclude({ prove: 'takeover', passed: faults.length === 0, goals, seed, faults: faults.length, ...figures })
