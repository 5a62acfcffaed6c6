import pg from 'pg'
import utils from 'pg/lib/utils.js'
import { entries, entryValues, type Scope } from './scope.ts'

/** One statement: `name` makes it prepared once per connection; without one it is parsed each time. */
export interface Statement {
  readonly name?: string
  readonly text: string
  readonly values?: readonly unknown[]
}

export interface Rows {
  rows: Record<string, unknown>[]
  rowCount: number
  command: string
}

// pg's own Query and Connection, as far as this file reaches into them; @types/pg does not describe them.
const BaseQuery = pg.Query as any

/**
 * A statement with its scope's entry in front of it, under ONE Sync.
 *
 *     [Parse statement]  Bind enter  Execute  Bind statement  Describe  Execute  Sync
 *
 * One Sync is one implicit transaction: what app.enter sets is visible to the statement and gone at Sync, whether the
 * statement succeeds, fails, or never runs because the entry refused. So requests of different tenants can follow one
 * another on one pipelined connection without waiting, and without anything left behind between them.
 *
 * Two orders matter, and statement.test.ts shows what happens without them. Values are converted in the constructor: a
 * value that cannot be sent throws before the first byte. And a named statement's Parse goes out before the entry: a
 * refusal skips everything up to Sync, and the requests behind this one already count on the Parse it carried.
 */
export class ScopedQuery extends BaseQuery {
  constructor(scope: Scope, statement: Statement, settle: (error: Error | null, result?: Rows) => void) {
    const values = statement.values?.map((value) => utils.prepareValue(value)) ?? []
    let settled = false
    super({ name: statement.name, text: statement.text, values }, undefined, (error: Error | null, result: Rows) => {
      if (settled) return // pg calls back again at ReadyForQuery after an error
      settled = true
      settle(error, result)
    })
    this.scope = scope
    this.entering = true
  }

  /** Never the simple protocol, which would take several statements in one text. */
  requiresPreparation(): boolean {
    return true
  }

  prepare(connection: any): void {
    if (this.name && !this.hasBeenParsed(connection)) {
      connection.parse({ text: this.text, name: this.name, types: this.types })
      connection.submittedNamedStatements[this.name] = this.text
    }
    const values = entryValues(this.scope)
    connection.bind({ portal: '', statement: entries[(this.scope as Scope).kind].name, values, valueMapper: asIs })
    connection.execute({ portal: '' })
    super.prepare(connection)
  }

  handleDataRow(message: unknown): void {
    if (!this.entering) super.handleDataRow(message)
  }

  handleCommandComplete(message: unknown, connection: unknown): void {
    if (this.entering) this.entering = false
    else super.handleCommandComplete(message, connection)
  }
}

function asIs(value: unknown): unknown {
  return value
}
