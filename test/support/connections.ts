import pg from 'pg'
import type { Test } from 'tap'

/** A connection as the application opened it, with what pg does not declare. */
export type OpenedClient = pg.Client & {
  readonly processID: number
  readonly connection: NodeJS.EventEmitter
  getTransactionStatus(): string
}

/** Every connection that is opened through pg from now on, in order: the application never hands one out. */
export function recordConnections(t: Test): OpenedClient[] {
  const opened: OpenedClient[] = []
  const { connect } = pg.Client.prototype
  pg.Client.prototype.connect = function (this: pg.Client, ...given: never[]) {
    opened.push(this as OpenedClient)
    return (connect as (...all: never[]) => unknown).apply(this, given)
  } as typeof connect
  t.teardown(() => {
    pg.Client.prototype.connect = connect
  })
  return opened
}

/** Asserts that nothing of a tenant is left on a connection, and that a statement without an entry fails on it. */
export async function assertClean(t: Test, client: OpenedClient): Promise<void> {
  const setting =
    "coalesce(current_setting('app.tenant_id', true), '') || coalesce(current_setting('app.actor', true), '')"
  const { rows } = await client.query(`select ${setting} as scope, current_user::text as role`)
  t.match(rows, [{ scope: '', role: /^enginex_(api|worker)$/ }], 'no scope is left on the connection')
  await t.rejects(client.query('select from app.agents'), { code: 'TN000' }, 'a forgotten scope is an error')
  t.equal(client.getTransactionStatus(), 'I', 'the connection is idle')
}
