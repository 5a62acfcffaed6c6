// Compiled by `npm run check`, never run: what stands under @ts-expect-error must NOT compile.
import type { Kysely } from 'kysely'
import { Type } from 'typebox'
import type { Database } from '../../src/db/database.ts'
import type { TenantQueries } from '../../src/db/queries.ts'
import type { Tables } from '../../src/db/tables.ts'
import { TenantContext } from '../../src/tenancy/context.ts'
import { platformRoute, tenantRoute } from '../../src/tenancy/route.ts'

declare const kysely: Kysely<Tables>
declare const database: Database
declare const queries: TenantQueries
declare const reader: TenantContext<'agents:read'>
declare const starter: TenantContext<'runs:write' | 'runs:read'>
declare const worker: TenantContext<'runs:advance'>
declare const member: { userId: string; issuedAt: string; roles: readonly string[] }

declare function listThings(queries: TenantQueries): Promise<unknown[]>
declare function readThings(tenant: TenantContext<'agents:read'>): Promise<{ ok: boolean }>
declare function writeThings(tenant: TenantContext<'agents:write'>): Promise<{ ok: boolean }>
declare function advanceRun(tenant: TenantContext<'runs:advance'>): void

// --- A repository takes queries that are bound to a tenant, and no others.
listThings(queries)
listThings(reader.rows)
reader.transaction((tx) => listThings(tx))
// @ts-expect-error a Kysely of one's own has no tenant
listThings(kysely)
// @ts-expect-error the connections are the database's own
database.pool
// @ts-expect-error nor can they be had by their private name
database.shared

// --- A context proves permissions; it cannot be made by hand, or widened.
readThings(reader)
// @ts-expect-error reading does not let you write
writeThings(reader)
readThings(TenantContext.open(database, 'a', member, 'agents:write'))
// @ts-expect-error another resource
writeThings(TenantContext.open(database, 'a', member, 'runs:write'))
// @ts-expect-error an object that looks like one
readThings({ tenantId: 'a', userId: 'b', rows: queries, transaction: async () => undefined, as: () => reader })
// @ts-expect-error the constructor is private
new TenantContext(database, { kind: 'system', tenantId: 'a', job: 'b' }, [])
// @ts-expect-error no such permission
TenantContext.open(database, 'a', member, 'agents:delete')
// @ts-expect-error what a worker may do is granted to no person
TenantContext.open(database, 'a', member, 'runs:advance')
// @ts-expect-error nor may a person's context stand in for a run's
advanceRun(starter)
// @ts-expect-error and the run's does not read the catalog
readThings(worker)
readThings(starter.as('runs:write', 'agents:read'))
// @ts-expect-error only what the fixed list says
starter.as('runs:write', 'audit:read')
// @ts-expect-error and only with a permission that was proven
starter.as('agents:write', 'agents:read')

// --- A run acts for whoever started it within a short list.
readThings(worker.forStarter('agents:read'))
// @ts-expect-error no run decides an approval
worker.forStarter('approvals:write')
// @ts-expect-error and nobody else acts for a starter
reader.forStarter('agents:read')

// --- The tenant of a row is not the writer's to choose.
queries.selectFrom('agents').select('tenant_id')
queries.insertInto('agents').values({ name: 'a' })
// @ts-expect-error not when it is made
queries.insertInto('agents').values({ name: 'a', tenant_id: 'b' })
// @ts-expect-error not later
queries.updateTable('agents').set({ tenant_id: 'b' })

// --- A route says its permission, and its handler gets no more than that.
const schema = { response: Type.Object({ ok: Type.Boolean() }) }
const declared = { method: 'GET', path: '/things', summary: '', schema } as const
tenantRoute({ ...declared, permission: 'agents:read', handler: (tenant) => readThings(tenant) })
tenantRoute({ ...declared, permission: 'agents:write', handler: (tenant) => readThings(tenant) })
// @ts-expect-error a route without permission
tenantRoute({ ...declared, handler: async () => ({ ok: true }) })
// @ts-expect-error a permission that nobody can have
tenantRoute({ ...declared, permission: 'runs:advance', handler: async () => ({ ok: true }) })
// @ts-expect-error the route proves agents:read, the service wants agents:write
tenantRoute({ ...declared, permission: 'agents:read', handler: (tenant) => writeThings(tenant) })
// @ts-expect-error the answer does not fit its schema
tenantRoute({ ...declared, permission: 'agents:read', handler: async () => ({ ok: 'yes' }) })
// @ts-expect-error a platform route has a person, no tenant
platformRoute({ ...declared, handler: (person) => readThings(person) })
