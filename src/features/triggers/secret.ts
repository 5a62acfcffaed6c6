import type { Static } from 'typebox'
import { AppError, notFound } from '../../errors.ts'
import type { Vault } from '../../providers/vault.ts'
import { createWebhookSecret } from '../../providers/webhooks.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { record } from '../audit/service.ts'
import { findRow, replaceSecret } from './repository.ts'
import type { TriggerSecret } from './schema.ts'

type Writer = TenantContext<'triggers:read' | 'triggers:write'>

/** How long the secret before is taken as well, once there is a new one. */
const overlap = '24 hours'

/** Makes a webhook's next secret; it is shown this once. Throws `conflict` when another one was made at the same time. */
export async function newSecret(vault: Vault, tenant: Writer, id: string): Promise<Static<typeof TriggerSecret>> {
  const [row] = await findRow(tenant.rows, { id })
  if (!row) throw notFound('trigger')
  const version = row.secret_version
  const secret = createWebhookSecret()
  const sealed = await vault.seal(tenant.tenantId, aboutSecret(id, version + 1), secret)
  return await tenant.transaction(async (tx) => {
    const done = await replaceSecret(tx, id, version, sealed, overlap)
    if (!done) throw new AppError('conflict', 'the secret was replaced at the same time; try again')
    await record(tx, 'triggers.rotate_secret', `trigger:${id}`, { version: version + 1 })
    return { secret, previousUntil: done.until?.toISOString() ?? null }
  })
}

/** Another trigger, another version: another secret. What was copied between rows does not open. */
export function aboutSecret(triggerId: string, version: number): string {
  return `trigger:${triggerId}:${version}`
}
