import { type Fault, fault } from './fault.ts'

/** What keeps a run from another session's past, from other runs' process, and from questions that nobody asks any more. */
export const runFaults: readonly Fault[] = [
  fault("a fork of another session's run", 'test/features/runs-again.test.ts', /is not found/, [
    'src/features/runs/fork.ts',
    "    .where('runs.session_id', '=', sessionId)\n",
    '',
  ]),
  fault('a process of runs that is held up lives on', 'test/features/worker-parts.test.ts', /holds up is ended/, [
    'src/worker/runner.ts',
    'if (unanswered > mostUnanswered)',
    'if (unanswered < 0)',
  ]),
  fault('a state of any size', 'test/features/worker-takeover.test.ts', /no state grows without end/, [
    'src/features/runs/progress.ts',
    '    if (change.length > mostStateCharacters) throw tooLarge\n',
    '',
  ]),
  fault('a branch that ended leaves its question open', 'test/features/worker-branches.test.ts', /is taken back/, [
    'src/worker/course.ts',
    '    if (dropped.length > 0) await withdrawQuestions(tx, hold.run.runId, dropped)\n',
    '',
  ]),
  fault('a run is worked on for ever', 'test/features/worker-branches.test.ts', /used up its time/, [
    'src/worker/advance.ts',
    'if (limitMs !== undefined) timer',
    'if (limitMs === 0) timer',
  ]),
]
