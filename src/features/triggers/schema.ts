import { type Static, Type } from 'typebox'
import { Failure, Id, Name, Nullable, Page, PageQuery, Strict, Time } from '../schema.ts'
import { EntryPoint } from '../sessions/schema.ts'

const Kind = Type.Enum(['timer', 'webhook', 'api'])
const Input = Type.Unsafe<Record<string, unknown>>({
  type: 'object',
  additionalProperties: true,
  description: 'What every session gets, as far as it is not a file.',
})
const PayloadKey = Type.String({
  pattern: '^[a-z][a-z0-9]*([-_][a-z0-9]+)*$',
  maxLength: 64,
  description: 'webhook: the input that takes what was sent; `payload` when left out.',
})
const Schedule = Type.Union([
  Strict({ everyMinutes: Type.Integer({ minimum: 1, maximum: 527_040 }) }),
  Strict({
    cron: Type.String({ minLength: 9, maxLength: 100, description: 'Five fields: minute hour day month weekday.' }),
    timeZone: Type.String({ minLength: 1, maxLength: 64, description: 'IANA name, e.g. Europe/Zurich.' }),
  }),
])
const Misfire = Type.Enum(['skip', 'fire_once', 'fire_all'], {
  description:
    'What happens to times that were missed by more than a minute: nothing, one session for all of them, or one for each of the last 24.',
})
const JitterSeconds = Type.Integer({
  minimum: 0,
  maximum: 3600,
  description: 'Fires up to this much later, spread evenly.',
})
const MaxConcurrent = Type.Integer({
  minimum: 1,
  maximum: 1000,
  description: 'While this many of its runs are not finished it starts none. A timer: 1 when left out; others 100.',
})

/** A timer has `schedule`, a webhook `payloadKey`; what belongs to another kind is null. */
export const Trigger = Type.Object({
  id: Id,
  name: Type.String(),
  kind: Kind,
  agent: Name,
  entryPoint: Nullable(Type.String()),
  input: Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true }),
  payloadKey: Nullable(Type.String()),
  schedule: Nullable(Schedule),
  jitterSeconds: Type.Integer(),
  runImmediately: Type.Boolean(),
  misfire: Misfire,
  maxConcurrent: Type.Integer(),
  enabled: Type.Boolean(),
  disabledReason: Nullable(Type.Enum(['by_request', 'owner_left'])),
  owner: Type.String({ description: 'The member whose right to start sessions the trigger uses.' }),
  nextAt: Nullable(Time),
  lastAt: Nullable(Time),
  lastSessionId: Nullable(Id),
  createdAt: Time,
  createdBy: Type.String(),
})
export type Trigger = Static<typeof Trigger>

export const TriggerDetail = Type.Object({
  ...Trigger.properties,
  upcoming: Type.Array(Time, { description: 'The next five times at which a timer fires.' }),
  hookPath: Nullable(Type.String({ description: 'Where a webhook is sent to, below the address of the API.' })),
})
export type TriggerDetail = Static<typeof TriggerDetail>

/** A webhook's secret is in this answer and in no other. */
export const TriggerCreated = Type.Object({ ...TriggerDetail.properties, secret: Nullable(Type.String()) })
export type TriggerCreated = Static<typeof TriggerCreated>

const changeable = {
  name: Type.String({ minLength: 1, maxLength: 100 }),
  entryPoint: Nullable(EntryPoint),
  input: Input,
  payloadKey: PayloadKey,
  schedule: Schedule,
  jitterSeconds: JitterSeconds,
  runImmediately: Type.Boolean({ description: 'timer: fires as soon as it is enabled, and then by its schedule.' }),
  misfire: Misfire,
  maxConcurrent: MaxConcurrent,
}
const optional = Object.fromEntries(
  Object.entries(changeable).map(([name, schema]) => [name, Type.Optional(schema)]),
) as { [K in keyof typeof changeable]: ReturnType<typeof Type.Optional<(typeof changeable)[K]>> }

export const TriggerCreate = Strict({ ...optional, name: changeable.name, kind: Kind, agent: Name })
export type TriggerCreate = Static<typeof TriggerCreate>

/** What is left out stays. */
export const TriggerUpdate = Strict(optional)
export type TriggerUpdate = Static<typeof TriggerUpdate>

/** Beside the trigger's own input; what both name comes from here. */
export const FireBody = Strict({ input: Type.Optional(Input) })
export const FireHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({ pattern: '^[!-~]+$', maxLength: 200, description: 'The same key again fires nothing again.' }),
  ),
})

export const Firing = Type.Object({
  id: Id,
  outcome: Type.Enum(['started', 'skipped', 'failed']),
  reason: Nullable(Failure),
  sessionId: Nullable(Id),
  dueAt: Nullable(Time),
  firedAt: Time,
  firedBy: Type.String(),
})
export type Firing = Static<typeof Firing>

/** What a sender of messages is told. */
export const HookAnswer = Type.Object({ sessionId: Id })

export const TriggerSecret = Type.Object({
  secret: Type.String({ description: 'whsec_…, shown this once.' }),
  previousUntil: Nullable(
    Type.Unsafe<string>({ ...Time, description: 'Until then the secret before is taken as well.' }),
  ),
})
export const TriggerList = Page(Trigger)
export const FiringList = Page(Firing)
export const TriggerQuery = Strict({ ...PageQuery, agent: Type.Optional(Name), kind: Type.Optional(Kind) })
export const FiringQuery = Strict(PageQuery)
export const TriggerPath = Strict({ triggerId: Id })
