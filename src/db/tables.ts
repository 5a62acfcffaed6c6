import type { ColumnType } from 'kysely'
import type { DB } from './generated.ts'

/** Readable, never writable: the database fills it from the scope. */
type TenantId = ColumnType<string, never, never>

/** Every table as generated from the migrated database, with `tenant_id` taken out of the writer's hands. */
export type Tables = {
  [T in keyof DB]: 'tenant_id' extends keyof DB[T] ? Omit<DB[T], 'tenant_id'> & { tenant_id: TenantId } : DB[T]
}
