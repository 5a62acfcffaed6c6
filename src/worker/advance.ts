import type { Logger } from 'pino'
import type { Database } from '../db/database.ts'
import { pendingEffects } from '../engine/machine.ts'
import { type LoadedRun, loadRun, type RunTenant } from '../features/runs/progress.ts'
import { endRun, handOverRun, pauseRun, requeueRun } from '../features/runs/release.ts'
import { TenantContext } from '../tenancy/context.ts'
import type { Announce } from './announcer.ts'
import { apply, type Course, callOf, pendingCalls, resume, startCourse, takeAnswers, takeRoom } from './course.ts'
import { type EffectProviders, type Outcome, Postponed } from './effects/effect.ts'
import { perform } from './effects/perform.ts'
import { verdictOn } from './failures.ts'
import type { Hold } from './hold.ts'
import { startInput } from './inputs.ts'
import type { LoadPackage } from './packages.ts'
import { type Doable, isDoable, isQuestion, withdrawQuestions } from './questions.ts'

export interface AdvanceProviders extends EffectProviders {
  readonly database: Database
  readonly loadPackage: LoadPackage
  readonly announce: Announce
  readonly log: Pick<Logger, 'error' | 'warn' | 'debug'>
}

/** A run whose workers fall silent at the same step this often is what stops them. */
const maxTakeovers = 5
const workerLost = {
  code: 'worker_lost',
  message: `the workers of this run stopped ${maxTakeovers} times at the same step; the operator finds the reason in their logs`,
}

/**
 * Advances a held run until it ends, waits for people, or is let go of. Never throws: what goes wrong with this one run
 * is its own failure, or it is left to be taken over.
 */
export async function advanceRun(providers: AdvanceProviders, hold: Hold): Promise<void> {
  const { tenantId, runId, epoch } = hold.run
  const tenant = TenantContext.openRun(providers.database, tenantId, runId, epoch)
  try {
    const loaded = await loadRun(tenant, hold.run)
    if (loaded.takeovers > maxTakeovers) return await end(tenant, hold, { status: 'failed', error: workerLost })
    const agent = await providers.loadPackage(tenantId, loaded.digest)
    const course = startCourse({ hold, tenant, package: agent, announce: providers.announce }, loaded)
    await follow(providers, course, await begin(providers, course, loaded))
  } catch (err) {
    await giveUp(providers, hold, tenant, err)
  } finally {
    hold.ask('lost') // nothing of it goes on
  }
}

/** From the last checkpoint to what is to be done first. */
async function begin({ files }: AdvanceProviders, course: Course, loaded: LoadedRun): Promise<Doable[]> {
  const { hold, tenant, package: agent } = course
  if (loaded.requested) hold.ask(loaded.requested)
  if (hold.asked) return []
  if (!loaded.state) return await apply(course, { input: await startInput(files, tenant.tenantId, agent, loaded) })
  const pending = pendingEffects(agent, loaded.state, loaded.memory)
  return await resume(course, { doable: pending.filter(isDoable), questions: pending.filter(isQuestion) })
}

/** An effect that is being performed. */
interface UnderWay {
  readonly done: Promise<Outcome | { readonly postponed: string } | null>
  /** Ends it; its result is not wanted any more. */
  drop(): void
}

/** Performs effects as they come and feeds their results back, one at a time, until there is a reason to stop. */
async function follow(providers: AdvanceProviders, course: Course, first: readonly Doable[]): Promise<void> {
  const { hold } = course
  const aborted = new Promise<null>((resolve) => {
    hold.signal.addEventListener('abort', () => resolve(null), { once: true })
  })
  const deadline = deadlineOf(course)
  const underWay = new Map<string, UnderWay>()
  const wanted = [...first]
  try {
    while (course.now.status === 'running') {
      if (hold.signal.aborted || (hold.asked && underWay.size === 0)) return await obey(course)
      const pending = pendingCalls(course.now.state)
      for (const [call, effect] of underWay) if (!pending.has(call)) drop(course, underWay, call, effect)
      if (!hold.asked) for (const effect of wanted.splice(0)) begun(providers, course, underWay, pending, effect)
      if (pending.size === 0) throw new Error('the machine wants nothing and has not ended')
      const results = [...underWay.values()].map(({ done }) => done)
      const news = await Promise.race([aborted, deadline.passed, hold.answers(), ...results])
      if (news === 'deadline') wanted.push(...(await apply(course, { input: { kind: 'deadline' } })))
      else if (news === 'answers') wanted.push(...(await takeAnswers(course)))
      else if (news && 'postponed' in news) underWay.delete(news.postponed)
      else if (news) {
        underWay.delete(callOf(news.input))
        wanted.push(...(await apply(course, news)))
      }
    }
  } finally {
    deadline.clear()
    for (const effect of underWay.values()) effect.drop()
  }
}

function begun(
  providers: AdvanceProviders,
  course: Course,
  underWay: Map<string, UnderWay>,
  pending: ReadonlySet<string>,
  effect: Doable,
): void {
  // Its branch may have ended between the transition that asked for it and now.
  if (pending.has(effect.call)) underWay.set(effect.call, start(providers, course, effect))
}

function drop({ taken }: Course, underWay: Map<string, UnderWay>, call: string, effect: UnderWay): void {
  underWay.delete(call)
  taken.delete(call)
  effect.drop()
}

/** Its result is null when it was aborted, whatever came of it. */
function start(providers: AdvanceProviders, course: Course, effect: Doable): UnderWay {
  const { hold, package: agent, now } = course
  const { tenantId, runId, sessionId, epoch } = hold.run
  // Of its own: it reads and writes while the run's transitions are recorded.
  const tenant = TenantContext.openRun(providers.database, tenantId, runId, epoch)
  const own = new AbortController()
  const signal = AbortSignal.any([hold.signal, own.signal])
  const fits = (size: number) => signal.aborted || takeRoom(course, effect.call, size)
  const context = { tenant, runId, sessionId, agent, at: now.at, fits, signal, letGo: () => hold.asked !== null }
  const done = perform(providers, context, effect).then(
    (outcome) => (signal.aborted ? null : outcome),
    (error) => {
      if (signal.aborted) return null
      if (error instanceof Postponed) return { postponed: effect.call }
      throw error
    },
  )
  done.catch(() => undefined) // whoever waits for it gets it; nobody may be waiting any more
  return { done, drop: () => own.abort() }
}

/** `passed` resolves when the run has used up the time that its package gives it. */
function deadlineOf({ package: { manifest }, now }: Course): { passed: Promise<'deadline'>; clear: () => void } {
  const limitMs = manifest.graph.loopConfig?.maxWallTimeMs
  let timer: NodeJS.Timeout | undefined
  const passed = new Promise<'deadline'>((resolve) => {
    if (limitMs !== undefined) timer = setTimeout(resolve, Math.max(0, limitMs - now.workedMs), 'deadline')
  })
  return { passed, clear: () => clearTimeout(timer) }
}

/** Lets go of the run at its last checkpoint, as it was asked. */
async function obey({ hold, tenant }: Course): Promise<void> {
  const { run, asked } = hold
  if (asked === 'cancel') return await end(tenant, hold, { status: 'cancelled', error: null })
  if (asked === 'yield') return await requeueRun(tenant, run)
  if (asked === 'pause' && (await pauseRun(tenant, run))) return
  if (asked !== 'lost') await handOverRun(tenant, run)
}

async function end(tenant: RunTenant, { run }: Hold, outcome: Parameters<typeof endRun>[2]): Promise<void> {
  await endRun(tenant, run, outcome, (tx) => withdrawQuestions(tx, run.runId))
}

async function giveUp({ log }: AdvanceProviders, hold: Hold, tenant: RunTenant, err: unknown): Promise<void> {
  const { tenantId, runId, epoch } = hold.run
  const which = { tenantId, runId, epoch }
  const verdict = verdictOn(err)
  if (verdict === 'lost') return log.debug({ ...which, err }, 'the run is not ours any more')
  if (verdict === 'retry') return log.warn({ ...which, err }, 'the run is left to be taken over')
  if (verdict.code === 'internal') log.error({ ...which, err }, 'the run failed unexpectedly')
  try {
    await end(tenant, hold, { status: 'failed', error: verdict })
  } catch (again) {
    log.warn({ ...which, err: again }, 'the failed run is left to be taken over')
  }
}
