import { inputKeysOf } from '../../engine/keys.ts'
import type { Manifest } from '../../engine/schema.ts'
import { AppError, type Fault } from '../../errors.ts'
import { checkStart } from '../sessions/service.ts'
import type { NewTrigger, TriggerRow } from './repository.ts'
import { checkSchedule, type Schedule } from './schedule.ts'
import type { Trigger, TriggerUpdate } from './schema.ts'

export type Kind = Trigger['kind']

/** Everything that may be changed of a trigger. */
export type Settings = Omit<NewTrigger, 'kind' | 'agent_id' | 'input' | 'schedule'> & {
  readonly input: Record<string, unknown>
  readonly schedule: Schedule | null
}

const ofKind: Readonly<Record<Kind, readonly (keyof TriggerUpdate)[]>> = {
  timer: ['schedule', 'jitterSeconds', 'runImmediately', 'misfire'],
  webhook: ['payloadKey'],
  api: [],
}

/** What was given over what is there, or over the defaults of the kind. Throws input_invalid for what no such trigger has. */
export function settingsOf(kind: Kind, given: TriggerUpdate, now: Settings | null): Settings {
  const others = Object.entries(ofKind).flatMap(([one, names]) => (one === kind ? [] : names))
  const faults: Fault[] = others
    .filter((name) => given[name] !== undefined)
    .map((name) => ({ path: name, reason: `a trigger of kind ${kind} has none` }))
  const schedule = given.schedule ?? now?.schedule ?? null
  if (kind === 'timer' && !schedule) faults.push({ path: 'schedule', reason: 'a timer needs one' })
  if (faults.length > 0) throw new AppError('input_invalid', `this is no trigger of kind ${kind}`, { faults })
  return {
    name: given.name ?? now!.name,
    entry_point: given.entryPoint === undefined ? (now?.entry_point ?? null) : given.entryPoint,
    input: given.input ?? now?.input ?? {},
    payload_key: kind === 'webhook' ? (given.payloadKey ?? now?.payload_key ?? 'payload') : null,
    schedule,
    jitter_seconds: given.jitterSeconds ?? now?.jitter_seconds ?? 0,
    run_immediately: given.runImmediately ?? now?.run_immediately ?? false,
    misfire: given.misfire ?? now?.misfire ?? 'fire_once',
    max_concurrent: given.maxConcurrent ?? now?.max_concurrent ?? (kind === 'timer' ? 1 : 100),
  }
}

/** What the package suggests for a trigger of this kind at this entry point; a cron without a zone is meant in UTC. */
export function suggestedBy({ graph }: Manifest, kind: Kind, entryPoint: string | null | undefined): TriggerUpdate {
  const entry = graph.asyncEntryPoints?.find(({ id }) => id === entryPoint)
  if (!entry) return {}
  const { intervalMinutes, cron, runImmediately } = entry.triggerConfig ?? {}
  const schedule =
    cron !== undefined ? { cron, timeZone: 'UTC' } : intervalMinutes !== undefined && { everyMinutes: intervalMinutes }
  return {
    ...(entry.maxConcurrent === undefined ? {} : { maxConcurrent: entry.maxConcurrent }),
    ...(kind === 'timer' && schedule ? { schedule } : {}),
    ...(kind === 'timer' && runImmediately !== undefined ? { runImmediately } : {}),
  }
}

export function settingsIn(row: TriggerRow): Settings {
  const { name, entry_point, payload_key, jitter_seconds, run_immediately, misfire, max_concurrent } = row
  const [input, schedule] = [row.input as Settings['input'], row.schedule as Schedule | null]
  return { name, entry_point, input, payload_key, schedule, jitter_seconds, run_immediately, misfire, max_concurrent }
}

/** The settings as columns. */
export function columnsOf(settings: Settings): Omit<NewTrigger, 'kind' | 'agent_id'> {
  const { input, schedule } = settings
  return { ...settings, input: JSON.stringify(input), schedule: schedule && JSON.stringify(schedule) }
}

/**
 * Whether the agent's active version could be started by it. Throws input_invalid: for a schedule that is none or never
 * comes, an entry point that there is not, an input that does not fit. Of what a webhook brings only the place is known.
 */
export async function checkSettings(agent: string, manifest: Manifest, settings: Settings, now: Date): Promise<void> {
  const { schedule, payload_key: key, input, entry_point } = settings
  if (schedule) checkSchedule(schedule, now)
  if (key !== null && !inputKeysOf(manifest).includes(key)) {
    const faults = [{ path: 'payloadKey', reason: `the agent has no input ${key}` }]
    throw new AppError('input_invalid', `the agent has no input ${key} that takes what is sent`, { faults })
  }
  const { [key ?? '']: ignored, ...fixed } = input
  const start = { agent, input: fixed, entryPoint: entry_point ?? undefined }
  await checkStart(key === null ? manifest : without(manifest, key), start, [])
}

/** The manifest with an input that is nobody's to give: it comes with the message. */
function without(manifest: Manifest, key: string): Manifest {
  const schema = manifest.input as { properties?: Record<string, unknown>; required?: readonly string[] } | undefined
  if (!schema) return manifest
  const { [key]: taken, ...properties } = schema.properties ?? {}
  return {
    ...manifest,
    input: { ...schema, properties, required: schema.required?.filter((one) => one !== key) ?? [] },
  }
}
