// Every process reads its configuration here, and none of it may cost memory: no schema library, only what this needs.

/** How one environment variable is read. */
interface Setting<T> {
  /** What it must be, for the message when it is not. */
  readonly says: string
  /** Undefined for a text that it does not take. */
  readonly read: (text: string) => T | undefined
  /** There when the variable may be missing. */
  readonly otherwise?: T
}
type Settings = Readonly<Record<string, Setting<unknown>>>
type ValueOf<S> = S extends Setting<infer T> ? T : never
type Values<S extends Settings> = {
  readonly [Name in keyof S as undefined extends ValueOf<S[Name]> ? never : Name]: ValueOf<S[Name]>
} & {
  readonly [Name in keyof S as undefined extends ValueOf<S[Name]> ? Name : never]?: Exclude<ValueOf<S[Name]>, undefined>
}

function text(pattern: RegExp, says: string): Setting<string> {
  return { says, read: (given) => (pattern.test(given) ? given : undefined) }
}

function whole(minimum: number, maximum: number, says = 'a whole number'): Setting<number> {
  const read = (given: string) => {
    const value = Number(given)
    return /^\d+$/.test(given) && value >= minimum && value <= maximum ? value : undefined
  }
  return { says: `${says}, ${minimum} to ${maximum}`, read }
}

function oneOf<const T extends string>(...values: readonly T[]): Setting<T> {
  return { says: `one of ${values.join(', ')}`, read: (given) => values.find((value) => value === given) }
}

function or<T>(otherwise: T, setting: Setting<T>): Setting<T> {
  return { ...setting, otherwise }
}

function optional<T>(setting: Setting<T>): Setting<T | undefined> {
  return { ...setting, otherwise: undefined }
}

const url = text(/^https?:\/\/[^\s/]+(\/\S*[^\s/])?$/, 'an http(s) address without a slash at its end')
const postgresUrl = text(/^postgres(ql)?:\/\//, 'a postgres:// address')
const any = (says: string) => text(/./, says)
const secret = (says: string) => text(/^.{16,}$/, `${says}, at least 16 characters`)

const common = {
  ENGINEX_DATABASE_URL: postgresUrl,
  ENGINEX_FILES_DIRECTORY: any('a folder for packages, inputs and reports'),
  ENGINEX_KEYS_DIRECTORY: any('a folder for the keys of stored secrets, apart from the files and their backups'),
  ENGINEX_LOG_LEVEL: or('info', oneOf('fatal', 'error', 'warn', 'info', 'debug', 'silent')),
}

const outside = {
  ENGINEX_EGRESS_ALLOW: or('', text(/^([^\s,:]+:\d+(,|$))*$/, 'host:port,host:port')),
  ENGINEX_MCP_STDIO: optional(any('a JSON file with the programs that may be MCP servers')),
}

const mail = {
  ENGINEX_SMTP_URL: optional(text(/^smtps?:\/\/\S+$/, 'smtp://user:password@host:port of a mail server, or smtps://')),
  ENGINEX_MAIL_FROM: optional(text(/^[^\r\n]*@[^\r\n]+$/, 'the address that mail comes from')),
}

const api = {
  ...common,
  ...outside,
  ENGINEX_HOST: or('127.0.0.1', any('an address to listen on')),
  ENGINEX_PORT: or(8787, whole(0, 65_535, 'a port')),
  ENGINEX_PUBLIC_URL: url,
  ENGINEX_REGION: or('home', text(/^[a-z0-9-]{1,32}$/, 'a word of lower-case letters and digits')),
  ENGINEX_KEYCLOAK_URL: url,
  ENGINEX_KEYCLOAK_REALM: or('enginex', any('a realm of Keycloak')),
  ENGINEX_KEYCLOAK_ADMIN_SECRET: secret('the secret of the client enginex-admin'),
  ENGINEX_ISSUER: optional(url),
  ENGINEX_JWKS_URL: optional(url),
  ENGINEX_CLIENTS: or(
    'enginex-console,enginex-cli',
    text(/^[\w.-]+(,[\w.-]+)*$/, 'the clients of Keycloak whose tokens are taken: one,two'),
  ),
  // What serves tenants without settings: shown by its name, never asked by the API.
  ENGINEX_MODEL_NAME: optional(any('the name of a model')),
  ENGINEX_CONSOLE_DIRECTORY: or('dist/console', any('the folder of the built console')),
}

const models = {
  ENGINEX_MODEL_BASE_URL: optional(url),
  ENGINEX_MODEL_NAME: optional(any('the name of a model')),
  ENGINEX_MODEL_API_KEY: optional(any('the key of the model server')),
}

const worker = {
  ...common,
  // More than the cap of one tenant's runs (tenants.run_cap, 4), so that none of them fills a worker.
  ENGINEX_WORKER_SLOTS: or(6, whole(1, 64, 'how many runs this process advances at once')),
  // Starting the process of the runs takes half a second, keeping it costs 70 MB.
  ENGINEX_WORKER_IDLE_SECONDS: or(300, whole(1, 86_400, 'how long the process of the runs is kept without any')),
  ...models,
  ...outside,
  ...mail,
  // For links in notifications.
  ENGINEX_PUBLIC_URL: optional(url),
}

/** `npm start`: the rest of the configuration it makes up itself. */
const local = {
  ENGINEX_CACHE: or('.cache', any('a folder for downloads, shared by all')),
  ...models,
  ...outside,
  ...mail,
}

/** `node src/local/setup.ts`: what makes a database and a realm ready for the API, once for each release. */
const setup = {
  ENGINEX_ADMIN_DATABASE_URL: text(/^postgres(ql)?:\/\//, 'a postgres:// address of a superuser'),
  ENGINEX_DATABASE_NAME: or('enginex', text(/^[a-z_]{1,63}$/, 'the name of a database')),
  ENGINEX_OWNER_PASSWORD: any('the password of the role that owns the tables'),
  ENGINEX_API_PASSWORD: any('the password of the role that the API uses'),
  ENGINEX_WORKER_PASSWORD: any('the password of the role that the workers use'),
  ENGINEX_PUBLIC_URL: url,
  ENGINEX_KEYCLOAK_URL: url,
  ENGINEX_KEYCLOAK_ADMIN_SECRET: api.ENGINEX_KEYCLOAK_ADMIN_SECRET,
  ENGINEX_DEMO_SECRET: optional(secret('the secret of the demonstration; there is none without')),
}

/** The command line: everything may be missing. */
const cli = {
  ENGINEX_URL: optional(url),
  ENGINEX_CLIENT_ID: optional(any('the client of a service account')),
  ENGINEX_CLIENT_SECRET: optional(any('the secret of that client')),
  XDG_CONFIG_HOME: optional(any('a folder')),
  HOME: optional(any('a folder')),
  APPDATA: optional(any('a folder')),
}

export type ApiConfig = Values<typeof api>
export type WorkerConfig = Values<typeof worker>
export type LocalConfig = Values<typeof local>
export type SetupConfig = Values<typeof setup>

/** The API's configuration. Throws one error that names everything that is missing or wrong. */
export function apiConfig(environment: NodeJS.ProcessEnv = process.env): ApiConfig {
  return read(api, environment)
}

/** The worker's configuration. Throws one error that names everything that is missing or wrong. */
export function workerConfig(environment: NodeJS.ProcessEnv = process.env): WorkerConfig {
  return read(worker, environment)
}

/** What `npm start` takes from its environment. Throws one error that names everything that is wrong. */
export function localConfig(environment: NodeJS.ProcessEnv = process.env): LocalConfig {
  return read(local, environment)
}

/** The configuration of the set-up. Throws one error that names everything that is missing or wrong. */
export function setupConfig(environment: NodeJS.ProcessEnv = process.env): SetupConfig {
  return read(setup, environment)
}

/** What the command line takes from its environment, with the folder in which it keeps the sign-in. */
export function cliConfig(environment: NodeJS.ProcessEnv = process.env): Values<typeof cli> & { directory: string } {
  const values = read(cli, environment)
  const home = values.XDG_CONFIG_HOME ?? values.APPDATA ?? `${values.HOME ?? '.'}/.config`
  return { ...values, directory: `${home}/enginex` }
}

/** Where Node and npm put what this process inherits; for child processes that get a configuration of their own. */
export function inheritedEnvironment(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const kept = Object.entries(environment).filter(([name]) => !name.startsWith('ENGINEX_'))
  return Object.fromEntries(kept)
}

/** The operator's exceptions from the egress guard, each host:port. */
export function egressAllowed({ ENGINEX_EGRESS_ALLOW: places }: { readonly ENGINEX_EGRESS_ALLOW: string }): string[] {
  return places.split(',').filter(Boolean)
}

function read<S extends Settings>(settings: S, environment: NodeJS.ProcessEnv): Values<S> {
  const faults: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, setting] of Object.entries(settings)) {
    const given = environment[name]
    const value = given ? setting.read(given) : setting.otherwise
    if (value !== undefined) values[name] = value
    else if (given || !('otherwise' in setting)) {
      faults.push(`  ${name}: ${given ? 'must be' : 'is missing:'} ${setting.says}`)
    }
  }
  if (faults.length === 0) return values as Values<S>
  throw new Error(`The configuration is incomplete or wrong. Set these environment variables:\n${faults.join('\n')}`)
}
