import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'

/** Each answers whether that part works now. They must not throw. */
export interface HealthChecks {
  readonly database: () => Promise<boolean>
  readonly notifications: () => Promise<boolean>
  readonly identity: () => Promise<boolean>
}

const freshMs = 1000

const Ready = Type.Object({
  ready: Type.Boolean(),
  database: Type.Boolean(),
  notifications: Type.Boolean(),
  identity: Type.Boolean({ description: 'Without it, signed-in people go on working; nobody new comes in.' }),
})

/**
 * /healthz: this process answers. /readyz: it can serve; 503 when the database cannot be reached. Keycloak being down is
 * said and does not make it unready: verified tokens keep working.
 */
export function serveHealth(app: FastifyInstance, checks: HealthChecks, now: () => number): void {
  const ask = onceInAWhile(now, () => Promise.all([checks.database(), checks.notifications(), checks.identity()]))
  app.get('/healthz', { schema: { response: { 200: Type.Object({ status: Type.Literal('ok') }) } } }, async () => ({
    status: 'ok' as const,
  }))
  app.get('/readyz', { schema: { response: { 200: Ready, 503: Ready } } }, async (_request, reply) => {
    const [database, notifications, identity] = await ask()
    const ready = database && notifications
    return reply.code(ready ? 200 : 503).send({ ready, database, notifications, identity })
  })
}

/** Anybody may ask, without a token: however many do, the database and Keycloak are asked once a second. */
function onceInAWhile<T>(now: () => number, ask: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; readonly answer: Promise<T> } | undefined
  return () => {
    if (!last || now() - last.at >= freshMs) last = { at: now(), answer: ask() }
    return last.answer
  }
}
