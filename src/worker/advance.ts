import type { Logger } from 'pino'
import type { Database } from '../db/database.ts'
import type { TenantQueries } from '../db/queries.ts'
import { type Effect, type Input, next, pendingEffects, startState } from '../engine/machine.ts'
import type { AgentPackage } from '../engine/package.ts'
import { loadPackage } from '../features/agents/service.ts'
import { askApproval, decisionsOf, withdrawApprovals } from '../features/approvals/service.ts'
import { type Left, type LoadedRun, loadRun, type RunTenant, recordTransition } from '../features/runs/progress.ts'
import { endRun, handOverRun, pauseRun, requeueRun, waitOn } from '../features/runs/release.ts'
import { TenantContext } from '../tenancy/context.ts'
import type { EffectProviders, Outcome } from './effects/effect.ts'
import { perform } from './effects/perform.ts'
import { tell } from './events.ts'
import { verdictOn } from './failures.ts'
import type { Hold } from './hold.ts'
import { startInput } from './inputs.ts'

export interface AdvanceProviders extends EffectProviders {
  readonly database: Database
  readonly log: Pick<Logger, 'error' | 'warn' | 'debug'>
}

type Approval = Extract<Effect, { kind: 'approval' }>
type Doable = Exclude<Effect, Approval | { kind: 'message' }>

/** A run whose workers fall silent at the same step this often is what stops them. */
const maxTakeovers = 5
const workerLost = {
  code: 'worker_lost',
  message: `the workers of this run stopped ${maxTakeovers} times at the same step; the operator finds the reason in their logs`,
}

/** A held run on its way. Memory stays here between transitions; only what changes is written. */
interface Course {
  readonly providers: AdvanceProviders
  readonly hold: Hold
  readonly tenant: RunTenant
  readonly package: AgentPackage
  /** As the last recorded transition left it. */
  now: Pick<LoadedRun, 'seq' | 'state' | 'memory' | 'sizes' | 'at'> & { readonly status: string }
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
    await follow(...(await begin(providers, hold, tenant, loaded)))
  } catch (err) {
    await giveUp(providers, hold, tenant, err)
  } finally {
    hold.ask('lost') // nothing of it goes on
  }
}

/** From the last checkpoint to what is to be done first. */
async function begin(
  providers: AdvanceProviders,
  hold: Hold,
  tenant: RunTenant,
  loaded: LoadedRun,
): Promise<[Course, Doable[]]> {
  if (loaded.requested) hold.ask(loaded.requested)
  const agent = await loadPackage(providers.files, tenant.tenantId, loaded.digest)
  const course: Course = { providers, hold, tenant, package: agent, now: { ...loaded, status: 'running' } }
  if (hold.asked) return [course, []]
  if (loaded.state) return [course, await resume(course, pendingEffects(agent, loaded.state, loaded.memory))]
  const input = await startInput(providers.files, tenant.tenantId, agent, loaded)
  return [course, await apply(course, { input })]
}

/** After a takeover or a wait: the effects again that have no result yet, and the answers that people have given. */
async function resume(course: Course, pending: readonly Effect[]): Promise<Doable[]> {
  const { tenant, hold } = course
  const questions = new Set(pending.filter(isApproval).map((effect) => effect.call))
  const doable = pending.filter(isDoable)
  if (questions.size === 0) return doable
  const answers = async (tx: TenantQueries) =>
    (await decisionsOf(tx, hold.run.runId)).filter((one) => questions.has(one.approval))
  const { found, left } = await waitOn(tenant, hold.run, answers)
  if (left) note(course, left)
  for (const input of found) doable.push(...(await apply(course, { input })))
  return doable
}

/** Performs effects as they come and feeds their results back, one at a time, until there is a reason to stop. */
async function follow(course: Course, first: readonly Doable[]): Promise<void> {
  const { hold } = course
  const aborted = new Promise<null>((resolve) => {
    hold.signal.addEventListener('abort', () => resolve(null), { once: true })
  })
  const underWay = new Map<string, Promise<Outcome | null>>()
  const wanted = [...first]
  while (course.now.status === 'running') {
    if (hold.signal.aborted || (hold.asked && underWay.size === 0)) return await obey(course)
    if (!hold.asked) for (const effect of wanted.splice(0)) underWay.set(effect.call, start(course, effect))
    if (underWay.size === 0) throw new Error('the machine wants nothing and has not ended')
    const outcome = await Promise.race([aborted, ...underWay.values()])
    if (!outcome) continue
    underWay.delete(callOf(outcome.input))
    wanted.push(...(await apply(course, outcome)))
  }
}

/** @returns null when it was aborted, whatever came of it */
function start({ providers, hold, tenant, package: agent, now }: Course, effect: Doable): Promise<Outcome | null> {
  const { runId, sessionId } = hold.run
  const memorySize = Object.values(now.sizes).reduce((sum, size) => sum + size, 0)
  const context = { tenant, runId, sessionId, agent, at: now.at, memorySize, signal: hold.signal }
  const outcome = perform(providers, context, effect).then(
    (done) => (hold.signal.aborted ? null : done),
    (error) => {
      if (hold.signal.aborted) return null
      throw error
    },
  )
  outcome.catch(() => undefined) // whoever waits for it gets it; nobody may be waiting any more
  return outcome
}

/** One transition, from input to record. @returns what is to be done next */
async function apply(course: Course, { input, record }: Outcome): Promise<Doable[]> {
  const { tenant, hold, now } = course
  const transition = next(course.package, now.state ?? startState(), now.memory, input)
  const also = async (tx: TenantQueries) => {
    const approvals = await ask(tx, hold, transition.effects.filter(isApproval))
    return tell(transition.events, approvals, (await record?.(tx)) ?? [])
  }
  const recorded = await recordTransition(tenant, hold.run, now.seq + 1, transition, also)
  course.now = {
    seq: now.seq + 1,
    state: transition.state,
    memory: { ...now.memory, ...transition.writes },
    sizes: { ...now.sizes, ...recorded.sizes },
    at: recorded.at,
    status: now.status,
  }
  note(course, recorded)
  return transition.effects.filter(isDoable)
}

/** @returns the approvals' ids by call */
async function ask(tx: TenantQueries, { run }: Hold, questions: readonly Approval[]): Promise<Map<string, string>> {
  const ids = new Map<string, string>()
  for (const effect of questions) {
    const id = await askApproval(tx, { sessionId: run.sessionId, runId: run.runId, effect })
    if (id) ids.set(effect.call, id)
  }
  return ids
}

function note(course: Course, { status, requested }: Left): void {
  course.now = { ...course.now, status }
  if (requested) course.hold.ask(requested)
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
  await endRun(tenant, run, outcome, (tx) => withdrawApprovals(tx, run.runId))
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

function isApproval(effect: Effect): effect is Approval {
  return effect.kind === 'approval'
}

function isDoable(effect: Effect): effect is Doable {
  return effect.kind !== 'approval' && effect.kind !== 'message'
}

function callOf(input: Input): string {
  return input.kind === 'start' ? '' : input.kind === 'decision' ? input.approval : input.call
}
