import type { TenantQueries } from '../db/queries.ts'
import { type EngineEvent, type Input, next, type RunState, startState } from '../engine/machine.ts'
import type { AgentPackage } from '../engine/package.ts'
import { type Left, type LoadedRun, type RunTenant, recordTransition } from '../features/runs/progress.ts'
import { waitOn } from '../features/runs/release.ts'
import { appendEvents } from '../features/runs/service.ts'
import { maxRunSize } from '../features/runs/size.ts'
import type { Announce } from './announcer.ts'
import type { Outcome } from './effects/effect.ts'
import { tell } from './events.ts'
import type { Hold } from './hold.ts'
import {
  answersOf,
  askQuestions,
  type Doable,
  isDoable,
  isQuestion,
  type Question,
  withdrawQuestions,
} from './questions.ts'

/** A held run on its way. Memory stays here between transitions; only what changes is written. */
export interface Course {
  readonly hold: Hold
  readonly tenant: RunTenant
  readonly package: AgentPackage
  /** As the last recorded transition left it. */
  now: Pick<LoadedRun, 'seq' | 'state' | 'memory' | 'sizes' | 'at' | 'workedMs'> & { readonly status: string }
  readonly announce: Announce
  /** Results that are there and not recorded yet: call -> size. */
  readonly taken: Map<string, number>
  /** performance.now() of the last recorded transition, or of when the run was taken. */
  since: number
}

export function startCourse(of: Pick<Course, 'hold' | 'tenant' | 'package' | 'announce'>, loaded: LoadedRun): Course {
  return { ...of, now: { ...loaded, status: 'running' }, taken: new Map(), since: performance.now() }
}

/** Takes room for a call's result, until it is recorded; false when the run would then remember more than a run may. */
export function takeRoom({ now, taken }: Course, call: string, size: number): boolean {
  const sizes = [...Object.values(now.sizes), ...taken.values()]
  if (sizes.reduce((sum, one) => sum + one, size) > maxRunSize) return false
  taken.set(call, size)
  return true
}

/** One transition, from input to record. @returns what is to be done next */
export async function apply(course: Course, { input, record }: Outcome): Promise<Doable[]> {
  const { tenant, hold, now } = course
  const transition = next(course.package, now.state ?? startState(), now.memory, input)
  const asked = transition.effects.filter(isQuestion)
  const open = questionsIn(transition.state)
  const dropped = [...questionsIn(now.state)].filter((call) => !open.has(call) && call !== callOf(input))
  for (const { call } of asked) open.delete(call) // of those just asked none can have an answer
  const clock = performance.now()
  const workedMs = clock - course.since
  const deeds = async (tx: TenantQueries) => {
    if (dropped.length > 0) await withdrawQuestions(tx, hold.run.runId, dropped)
    return tell(transition.events, await askQuestions(tx, hold.run, asked), (await record?.(tx)) ?? [])
  }
  const plain = asked.length === 0 && dropped.length === 0 && !record
  const recorded = await recordTransition(tenant, hold.run, now.seq + 1, transition, {
    workedMs,
    answered: open.size > 0 ? async (tx) => (await answersOf(tx, hold.run.runId, open)).length > 0 : null,
    events: plain ? tell(transition.events, new Map(), []) : deeds,
  })
  if (recorded.status === 'running') course.announce(tenant.tenantId, hold.run.sessionId)
  course.since = clock
  course.taken.delete(callOf(input))
  course.now = {
    seq: now.seq + 1,
    state: transition.state,
    memory: { ...now.memory, ...transition.writes },
    sizes: { ...now.sizes, ...recorded.sizes },
    at: recorded.at,
    workedMs: now.workedMs + workedMs,
    status: now.status,
  }
  note(course, recorded)
  if (transition.status === 'waiting' && recorded.status === 'running') hold.answered()
  return transition.effects.filter(isDoable)
}

/**
 * After a takeover, a wait, or a fork: the effects again that have no result yet, and the answers that people have given.
 * A run that has nothing else to do, and no answer, goes on waiting.
 */
export async function resume(
  course: Course,
  { doable, questions }: { doable: readonly Doable[]; questions: readonly Question[] },
): Promise<Doable[]> {
  const { tenant, hold } = course
  if (questions.length === 0) return [...doable]
  const calls = new Set(questions.map(({ call }) => call))
  const answers = async (tx: TenantQueries) => {
    const known = await answersOf(tx, hold.run.runId, calls)
    const left = questions.filter(({ call }) => !known.some((one) => callOf(one) === call))
    await askAgain(tx, course, left)
    return known
  }
  const { found, left } = await waitOn(tenant, hold.run, answers, { mayWait: doable.length === 0 })
  if (left) note(course, left)
  return await applyAll(course, doable, found)
}

/** The answers that people have given since, while other branches of the run were busy. */
export async function takeAnswers(course: Course): Promise<Doable[]> {
  course.hold.heard()
  const open = questionsIn(course.now.state)
  if (open.size === 0) return []
  const found = await course.tenant.transaction((tx) => answersOf(tx, course.hold.run.runId, open))
  return await applyAll(course, [], found)
}

/** Calls that the machine waits for now; an effect of any other call is not wanted any more. */
export function pendingCalls(state: RunState | null): Set<string> {
  return new Set(state?.activations.flatMap(({ pending }) => pending.map(({ call }) => call)))
}

export function callOf(input: Input): string {
  if (input.kind === 'start' || input.kind === 'deadline') return ''
  return input.kind === 'decision' ? input.approval : input.call
}

/** A fork begins with questions that only the earlier run has asked. */
async function askAgain(tx: TenantQueries, course: Course, questions: readonly Question[]): Promise<void> {
  const { runId, sessionId } = course.hold.run
  const ids = await askQuestions(tx, course.hold.run, questions)
  const events = questions.filter(({ call }) => ids.has(call)).map(requested)
  await appendEvents(tx, sessionId, runId, tell(events, ids, []))
}

/** As the machine told of it, when it asked for the first time. */
function requested(question: Question): EngineEvent {
  const { call, step, nodeId } = question
  if (question.kind === 'approval') {
    return { type: 'approval_requested', nodeId, data: { step, call, title: question.title } }
  }
  const evidence = question.evidence.map(({ key }) => key)
  return { type: 'client_input_requested', nodeId, data: { step, call, prompt: question.prompt, evidence } }
}

function questionsIn(state: RunState | null): Set<string> {
  const kinds: readonly string[] = ['approval', 'message']
  const pending = state?.activations.flatMap((activation) => activation.pending) ?? []
  return new Set(pending.filter(({ kind }) => kinds.includes(kind)).map(({ call }) => call))
}

async function applyAll(course: Course, doable: readonly Doable[], found: readonly Input[]): Promise<Doable[]> {
  const all = [...doable]
  for (const input of found) {
    // An answer may have ended the branch of the next one.
    if (pendingCalls(course.now.state).has(callOf(input))) all.push(...(await apply(course, { input })))
  }
  return all
}

function note(course: Course, { status, requested }: Left): void {
  course.now = { ...course.now, status }
  if (requested) course.hold.ask(requested)
}
