import { randomUUID } from 'node:crypto'
import type { Decision } from '../../src/features/approvals/schema.ts'
import { decide, getApproval } from '../../src/features/approvals/service.ts'
import { createSession } from '../../src/features/sessions/service.ts'
import { TenantContext } from '../../src/tenancy/context.ts'
import type { Permission, Role } from '../../src/tenancy/permissions.ts'
import { addMember, type TestTenant } from './database.ts'
import { tinyPackage } from './tiny-package.ts'
import type { Workplace } from './work.ts'

/** A member of a tenant who acts in tests. */
export interface Person {
  readonly userId: string
  readonly email: string
  may<P extends Permission>(permission: P): ReturnType<typeof TenantContext.open<P>>
}

/** A question that a run has put to people. */
export interface Asked {
  readonly sessionId: string
  readonly runId: string
  readonly approvalId: string
}

export type Court = ReturnType<typeof court>

let packages = 0

/** People and questions of one tenant, with policies; questions come from the package of tiny-package.ts. */
export function court(place: Workplace, tenant: TestTenant) {
  const { database, doors, admin } = place
  const person = async (name: string, roles: readonly Role[] = ['operator']): Promise<Person> => {
    const [userId, email] = [randomUUID(), `${name}@${tenant.alias}.test`]
    await addMember(doors, tenant.tenantId, userId, roles, email)
    const may: Person['may'] = (permission) =>
      TenantContext.open(database, tenant.tenantId, { userId, issuedAt: new Date().toISOString(), roles }, permission)
    return { userId, email, may }
  }
  const pendingOf = async (runId: string): Promise<string> => {
    const text = `select id from app.approvals where run_id = $1 and status = 'pending'`
    return (await admin.query(text, [runId])).rows[0].id
  }
  return {
    person,
    pendingOf,
    /** Deploys a package with this policy and asks its question, in the name of `starter`. A worker must be at work. */
    async ask(starter: Person, policy?: object): Promise<Asked> {
      packages += 1
      const agent = `tiny-${packages}`
      await place.deploy(tenant, agent, withPolicy(agent, policy))
      const start = { agent, input: { number: 21 } }
      const session = await createSession(place.files, starter.may('runs:write'), start, [])
      await place.arrives(session.run.id, 'waiting')
      return { sessionId: session.id, runId: session.run.id, approvalId: await pendingOf(session.run.id) }
    },
    /** Answers what is asked now, with the hash that is shown; `change` overrides any of it. */
    async answer(who: Person, { approvalId }: Asked, decision: Decision['decision'], change: Partial<Decision> = {}) {
      const { payloadHash } = await getApproval(who.may('approvals:read'), approvalId)
      const given = { decision, payloadHash, reason: 'because', ...change }
      return await decide(who.may('approvals:write'), approvalId, given, new Date())
    },
    async passTime({ approvalId }: Asked): Promise<void> {
      await admin.query(`update app.approvals set expires_at = now() - interval '1 second' where id = $1`, [approvalId])
    },
  }
}

function withPolicy(name: string, policy: object | undefined): Map<string, Buffer> {
  const files = tinyPackage({ name })
  const manifest = JSON.parse(String(files.get('agent.json')))
  if (policy) {
    manifest.approvalPolicies = [{ name: 'rule', ...policy }]
    manifest.graph.nodes.find((node: { id: string }) => node.id === 'review').policy = 'rule'
  }
  return files.set('agent.json', Buffer.from(JSON.stringify(manifest)))
}
