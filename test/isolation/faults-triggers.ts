import { type Fault, fault } from './fault.ts'

const hooks = 'test/isolation/hooks.test.ts'
const webhooks = 'test/features/webhooks.test.ts'
const once = 'test/features/triggers-once.test.ts'
const timer = 'test/features/triggers-timer.test.ts'
const enter = 'test/db/enter-trigger.test.ts'
const firing = 'src/features/triggers/firing.ts'
const migration = 'sql/migrations/0013_triggers.sql'
const unique: [string, string, string] = [migration, '  unique (tenant_id, trigger_id, key),\n', '']

/** What starts work without a person: by whom, in which tenant, and how often. */
export const triggerFaults: readonly Fault[] = [
  fault('trigger: the signature of a message unchecked', hooks, /the secret of another organization/, [
    'src/api/hooks.ts',
    'if (!hook || id === null) {',
    'if (!hook) {',
  ]),
  fault('trigger: an old message is taken', hooks, /a message of five minutes ago/, [
    'src/providers/webhooks.ts',
    'return matches > 0 && fresh ? id : null',
    'return matches > 0 || fresh === undefined ? id : null',
  ]),
  fault('trigger: the signature covers no body', hooks, /another body/, [
    'src/providers/webhooks.ts',
    '.update(body).digest()',
    '.update(body.slice(0, 0)).digest()',
  ]),
  fault(
    'trigger: a message starts a session each time it comes',
    webhooks,
    /the same message again/,
    [firing, '    if (known) return { sessionId: known.session_id }\n', '    void known\n'],
    unique,
  ),
  fault(
    'trigger: nobody waits for who fires at the same moment',
    webhooks,
    /many times at once/,
    [migration, 'and g.enabled for no key update;', 'and g.enabled;'],
    unique,
  ),
  fault('trigger: a timer fires for every worker that looks', once, /race over hundreds/, [
    firing,
    'if (!row?.due_at || !row.next_at || row.next_at > row.now) return false',
    'if (!row?.due_at) return false',
  ]),
  fault('trigger: the longest due first, whosesoever', once, /10,000 due timers/, [
    migration,
    'order by d.turn, d.next_at, d.id limit p_limit',
    'order by d.next_at, d.id limit p_limit',
  ]),
  fault('trigger: the rights of its owner unchecked', hooks, /rights that ended where no membership changed/, [
    migration,
    `  if v_granted is not true then raise exception 'the owner has left' using errcode = 'TN424'; end if;\n`,
    '',
  ]),
  fault('trigger: its owner leaves, and nobody sees it', timer, /when its owner leaves/, [
    migration,
    '  perform app.disable_orphans(new.tenant_id, new.user_id);\n',
    '',
  ]),
  fault('trigger: its tenant is whatever one says', enter, /of another tenant/, [
    migration,
    'where g.tenant_id = p_tenant and g.id = p_trigger and g.enabled for',
    'where g.id = p_trigger and g.enabled for',
  ]),
  fault(
    'trigger: suspension ignored',
    hooks,
    /of a suspended organization/,
    [migration, `on t.tenant_id = g.tenant_id and t.status = 'active'`, 'on t.tenant_id = g.tenant_id'],
    [
      migration,
      `  if v_tenant is distinct from 'active' then raise exception 'tenant suspended' using errcode = 'TN423'; end if;\n`,
      '',
    ],
  ),
  fault('trigger: a secret opens for any webhook of its tenant', hooks, /copied to another row/, [
    'src/features/triggers/secret.ts',
    'export function aboutSecret(triggerId: string, version: number): string {\n',
    'export function aboutSecret(triggerId: string, version: number): string {\n  triggerId = String(triggerId.length)\n',
  ]),
  fault('trigger: the owner is whoever the query says', 'test/features/triggers.test.ts', /nobody's but the asker's/, [
    migration,
    `  new.owner := split_part(app.actor(), ':', 2)::uuid;\n`,
    '',
  ]),
  fault(
    'trigger: who has its new secret sends in the name of somebody else',
    'test/features/requester.test.ts',
    /whoever changes what a trigger sends/,
    ['sql/migrations/0020_whose_work.sql', 'or old.secret_version is distinct from new.secret_version)', ')'],
  ),
  fault(
    'trigger: who changes its input asks in the name of somebody else',
    'test/features/requester.test.ts',
    /whoever changes what a trigger sends/,
    ['sql/migrations/0020_whose_work.sql', 'or old.input::text is distinct from new.input::text', ''],
  ),
  fault(
    'trigger: a right signature that may not fire is told so',
    hooks,
    /a webhook that may not fire/,
    [
      migration,
      `where g.id = p_trigger and g.kind = 'webhook' and g.enabled and`,
      `where g.id = p_trigger and g.kind = 'webhook' and`,
    ],
    [
      'src/api/hooks.ts',
      `code === 'organization_suspended' || code === 'not_found') throw unknown()`,
      `code === 'organization_suspended') throw unknown()`,
    ],
  ),
]
