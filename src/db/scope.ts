/**
 * In whose name a statement runs. Each kind is checked by its own SQL function in front of the statement:
 * a member by app.enter, a run's worker by app.enter_run, what it does for whoever started it by app.enter_starter, what
 * fires by app.enter_trigger, the platform's own jobs by app.enter_system.
 */
export type Scope =
  | {
      readonly kind: 'member'
      readonly tenantId: string
      readonly userId: string
      /** ISO 8601, from the token. */
      readonly issuedAt: string
      readonly permission: string
    }
  | { readonly kind: 'run'; readonly tenantId: string; readonly runId: string; readonly epoch: number }
  | {
      readonly kind: 'starter'
      readonly tenantId: string
      readonly runId: string
      readonly epoch: number
      readonly permission: string
    }
  | { readonly kind: 'trigger'; readonly tenantId: string; readonly triggerId: string }
  | { readonly kind: 'system'; readonly tenantId: string; readonly job: string }

interface Entry {
  readonly name: string
  readonly text: string
}

/** The statements that go in front, by kind of scope. Prepared on every connection before anything else. */
export const entries: Readonly<Record<Scope['kind'], Entry>> = {
  member: { name: 'enter', text: 'select app.enter($1::uuid, $2::uuid, $3::timestamptz, $4::text)' },
  run: { name: 'enter_run', text: 'select app.enter_run($1::uuid, $2::uuid, $3::integer)' },
  starter: { name: 'enter_starter', text: 'select app.enter_starter($1::uuid, $2::uuid, $3::integer, $4::text)' },
  trigger: { name: 'enter_trigger', text: 'select app.enter_trigger($1::uuid, $2::uuid)' },
  system: { name: 'enter_system', text: 'select app.enter_system($1::uuid, $2::text)' },
}

export const entryKinds = Object.keys(entries) as readonly Scope['kind'][]

/** As PostgreSQL names the function of an entry: app.enter(uuid, uuid, timestamptz, text). */
export function signatureOf(kind: Scope['kind']): string {
  return entries[kind].text.replace('select ', '').replaceAll(/\$\d::/g, '')
}

/** The parameters of the scope's entry, in PostgreSQL's text format. */
export function entryValues(scope: Scope): (string | null)[] {
  switch (scope.kind) {
    case 'member':
      return [scope.tenantId, scope.userId, scope.issuedAt, scope.permission]
    case 'run':
      return [scope.tenantId, scope.runId, String(scope.epoch)]
    case 'starter':
      return [scope.tenantId, scope.runId, String(scope.epoch), scope.permission]
    case 'trigger':
      return [scope.tenantId, scope.triggerId]
    case 'system':
      return [scope.tenantId, scope.job]
  }
}
