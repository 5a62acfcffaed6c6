import { type Fault, fault } from './fault.ts'

const statement = 'test/db/statement.test.ts'
const transaction = 'test/db/transaction.test.ts'
const matrix = 'test/isolation/matrix.test.ts'
const lists = 'test/isolation/lists.test.ts'
const tokens = 'test/identity/tokens.test.ts'
const streams = 'test/features/streams.test.ts'

/** How the database is spoken to, the API, and the types. */
export const codeFaults: readonly Fault[] = [
  fault('Parse behind the entry', statement, /Parse before the entry/, [
    'src/db/statement.ts',
    'if (this.name && !this.hasBeenParsed(connection)) {',
    'if (this.name === null) {',
  ]),
  fault('values are converted when half of the statement is sent', statement, /a value that cannot be sent/, [
    'src/db/statement.ts',
    'statement.values?.map((value) => utils.prepareValue(value)) ?? []',
    '[...(statement.values ?? [])]',
  ]),
  fault('shared connections can write', statement, /shared connections are read-only/, [
    'src/db/connections.ts',
    `default_transaction_read_only: readOnly ? 'on' : 'off'`,
    `default_transaction_read_only: 'off'`,
  ]),
  fault(
    'a connection that is not idle is used again',
    transaction,
    /a connection that is not idle afterwards is destroyed/,
    [
      'src/db/database.ts',
      '      broken = !isIdle(client)\n      return result',
      '      broken = false\n      return result',
    ],
  ),
  fault('a swallowed failure looks like a commit', transaction, /a swallowed failure of a statement/, [
    'src/db/database.ts',
    `      if (command !== 'COMMIT') throw new Error('the transaction was rolled back: one of its statements failed')\n`,
    '      void command\n',
  ]),
  fault('one text takes several statements', transaction, /one text holds one statement/, [
    'src/db/database.ts',
    `, queryMode: 'extended' }`,
    ' }',
  ]),
  fault('a lost connection ends the process', transaction, /uncaughtException/, [
    'src/db/connections.ts',
    `  pool.on('connect', (client) => client.on('error', () => undefined))\n`,
    '',
  ]),
  fault('two organizations accepted, the first one taken', matrix, /a token of two organizations/, [
    'src/api/admission.ts',
    'if (others.length > 0) {',
    'if (others.length > 99) {',
  ]),
  fault("the claim's roles are ignored", matrix, /a row that says more than the token/, [
    'src/api/admission.ts',
    'return { tenantId: row.tenantId, roles: organization.roles }',
    'return { tenantId: row.tenantId, roles: row.roles ?? [] }',
  ]),
  fault('permission skipped in the API', matrix, /a row that says more than the token/, [
    'src/tenancy/context.ts',
    'if (!grants(roles, permission)) throw',
    'if (!grants(roles, permission) && roles.length > 9) throw',
  ]),
  fault('platform routes for everyone', matrix, /platform\/organizations/, [
    'src/api/mount.ts',
    `if (route.kind === 'platform' && !identity.platformAdmin)`,
    `if (route.kind === 'platform' && !identity.userId)`,
  ]),
  fault('403 for 404', matrix, /a foreign id is not found/, ['src/errors.ts', 'not_found: 404', 'not_found: 403']),
  fault('text/plain accepted', matrix, /text\/plain/, [
    'src/api/app.ts',
    `  app.removeContentTypeParser('text/plain')\n`,
    '',
  ]),
  fault('unknown fields are removed silently', matrix, /is not the caller's to say/, [
    'src/api/app.ts',
    'removeAdditional: false',
    'removeAdditional: true',
  ]),
  fault('a body where none belongs', matrix, /is not the caller's to say/, [
    'src/api/mount.ts',
    `throw new AppError('invalid_request', 'this address takes no body')`,
    'request.body = undefined',
  ]),
  fault('refusals leave no trace', matrix, /refusals are recorded/, [
    'src/api/app.ts',
    '      denials.add(',
    '      String(',
  ]),
  fault("another organization's cursor accepted", lists, /a cursor serves the organization/, [
    'src/features/pages.ts',
    ' || !timingSafeEqual(mark, markOf(tenantId, text))',
    '',
  ]),
  fault(
    'audience unchecked',
    tokens,
    /forged and unfit tokens are refused/,
    ['src/identity/tokens.ts', ' || !textsOf(aud).includes(audience)', ''],
    ['src/api/authenticate.ts', '      allowedAud: audience,\n', ''],
  ),
  fault('ID and refresh tokens accepted', tokens, /forged and unfit tokens are refused/, [
    'src/identity/tokens.ts',
    `if (typ !== 'Bearer' || `,
    'if (',
  ]),
  fault('streams outlive the membership', streams, /ends when the membership ends/, [
    'src/api/streams.ts',
    'notifications.on(owner.tenantId, `member:',
    'notifications.on(owner.tenantId, `nobody:',
  ]),
  fault('the tenant of a row can be written', 'tsc', /test\/types\/tenancy\.ts.*Unused '@ts-expect-error'/, [
    'src/db/tables.ts',
    'ColumnType<string, never, never>',
    'ColumnType<string, string | undefined, string>',
  ]),
  fault(
    'a context forgets what it proves',
    'tsc',
    /test\/types\/tenancy\.ts.*Unused '@ts-expect-error'/,
    ['src/tenancy/context.ts', '  declare readonly proves: (permission: P) => void\n', ''],
    ['src/tenancy/context.ts', 'class TenantContext<in P extends', 'class TenantContext<P extends'],
  ),
  fault('a route needs no permission', 'tsc', /test\/types\/tenancy\.ts.*Unused '@ts-expect-error'/, [
    'src/tenancy/route.ts',
    `export function tenantRoute<P extends Permission, const S extends Schemas & { response: TSchema }>(
  route: Declared<S> & {
    permission: P`,
    `export function tenantRoute<P extends Permission, const S extends Schemas & { response: TSchema }>(
  route: Declared<S> & {
    permission?: P`,
  ]),
  fault('an interpreter keeps what a tool left in it', 'test/providers/interpreter.test.ts', /gone, to the last byte/, [
    'src/providers/interpreter.ts',
    '  memory.fill(0)\n',
    '',
  ]),
]
