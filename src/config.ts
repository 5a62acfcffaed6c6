import { type Static, type TProperties, Type } from 'typebox'
import { Value } from 'typebox/value'

const Url = Type.String({
  pattern: '^https?://[^\\s/]+(/[^\\s]*[^\\s/])?$',
  description: 'an http(s) address without a slash at its end',
})

const Common = {
  ENGINEX_DATABASE_URL: Type.String({ pattern: '^postgres(ql)?://', description: 'a postgres:// address' }),
  ENGINEX_FILES_DIRECTORY: Type.String({ minLength: 1, description: 'a folder for packages, inputs and reports' }),
  ENGINEX_LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent'], { default: 'info' }),
}

const Api = Type.Object({
  ...Common,
  ENGINEX_HOST: Type.String({ default: '127.0.0.1' }),
  ENGINEX_PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 8787 }),
  ENGINEX_PUBLIC_URL: Url,
  ENGINEX_REGION: Type.String({ default: 'home', pattern: '^[a-z0-9-]{1,32}$' }),
  ENGINEX_KEYCLOAK_URL: Url,
  ENGINEX_KEYCLOAK_REALM: Type.String({ default: 'enginex' }),
  ENGINEX_KEYCLOAK_ADMIN_SECRET: Type.String({ minLength: 16, description: 'the secret of the client enginex-admin' }),
  ENGINEX_ISSUER: Type.Optional(Url),
  ENGINEX_JWKS_URL: Type.Optional(Url),
  ENGINEX_CLIENTS: Type.String({
    default: 'enginex-console,enginex-cli',
    pattern: '^[\\w.-]+(,[\\w.-]+)*$',
    description: 'the clients of Keycloak whose tokens are taken: one,two',
  }),
  ENGINEX_CONSOLE_DIRECTORY: Type.String({ default: 'dist/console' }),
})

const Worker = Type.Object({
  ...Common,
  ENGINEX_WORKER_SLOTS: Type.Integer({
    minimum: 1,
    maximum: 64,
    default: 4,
    description: 'runs that this process advances at once',
  }),
  ENGINEX_MODEL_BASE_URL: Type.Optional(Url),
  ENGINEX_MODEL_NAME: Type.Optional(Type.String()),
  ENGINEX_MODEL_API_KEY: Type.Optional(Type.String()),
  ENGINEX_EGRESS_ALLOW: Type.String({
    default: '',
    pattern: '^([^\\s,:]+:\\d+(,|$))*$',
    description: 'host:port,host:port',
  }),
})

/** `npm start`: the rest of the configuration it makes up itself. */
const Local = Type.Object({
  ENGINEX_CACHE: Type.String({ default: '.cache', minLength: 1, description: 'a folder for downloads, shared by all' }),
  ENGINEX_MODEL_BASE_URL: Worker.properties.ENGINEX_MODEL_BASE_URL,
  ENGINEX_MODEL_NAME: Worker.properties.ENGINEX_MODEL_NAME,
  ENGINEX_MODEL_API_KEY: Worker.properties.ENGINEX_MODEL_API_KEY,
  ENGINEX_EGRESS_ALLOW: Worker.properties.ENGINEX_EGRESS_ALLOW,
})

/** `node src/local/setup.ts`: what makes a database and a realm ready for the API, once for each release. */
const Setup = Type.Object({
  ENGINEX_ADMIN_DATABASE_URL: Type.String({
    pattern: '^postgres(ql)?://',
    description: 'a postgres:// address of a superuser',
  }),
  ENGINEX_DATABASE_NAME: Type.String({ default: 'enginex', pattern: '^[a-z_]{1,63}$' }),
  ENGINEX_OWNER_PASSWORD: Type.String({ minLength: 1, description: 'of the role that owns the tables' }),
  ENGINEX_APP_PASSWORD: Type.String({ minLength: 1, description: 'of the role that API and worker use' }),
  ENGINEX_PUBLIC_URL: Url,
  ENGINEX_KEYCLOAK_URL: Url,
  ENGINEX_KEYCLOAK_ADMIN_SECRET: Api.properties.ENGINEX_KEYCLOAK_ADMIN_SECRET,
  ENGINEX_DEMO_SECRET: Type.Optional(Type.String({ minLength: 16, description: 'of the demonstration; none without' })),
})

export type ApiConfig = Static<typeof Api>
export type WorkerConfig = Static<typeof Worker>
export type LocalConfig = Static<typeof Local>
export type SetupConfig = Static<typeof Setup>

/** The API's configuration. Throws one error that names everything that is missing or wrong. */
export function apiConfig(environment: NodeJS.ProcessEnv = process.env): ApiConfig {
  return read(Api, environment)
}

/** The worker's configuration. Throws one error that names everything that is missing or wrong. */
export function workerConfig(environment: NodeJS.ProcessEnv = process.env): WorkerConfig {
  return read(Worker, environment)
}

/** What `npm start` takes from its environment. Throws one error that names everything that is wrong. */
export function localConfig(environment: NodeJS.ProcessEnv = process.env): LocalConfig {
  return read(Local, environment)
}

/** The configuration of the set-up. Throws one error that names everything that is missing or wrong. */
export function setupConfig(environment: NodeJS.ProcessEnv = process.env): SetupConfig {
  return read(Setup, environment)
}

/** Where Node and npm put what this process inherits; for child processes that get a configuration of their own. */
export function inheritedEnvironment(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const kept = Object.entries(environment).filter(([name]) => !name.startsWith('ENGINEX_'))
  return Object.fromEntries(kept)
}

function read<P extends TProperties>(schema: ReturnType<typeof Type.Object<P>>, environment: NodeJS.ProcessEnv) {
  const names = Object.keys(schema.properties)
  const given = Object.fromEntries(names.filter((name) => environment[name]).map((name) => [name, environment[name]]))
  const value = Value.Convert(schema, Value.Default(schema, given))
  const faults = Value.Errors(schema, value)
  if (faults.length === 0) return value as Static<typeof schema>
  const lines = names.flatMap((name) => {
    const fault = faults.find((one) => one.instancePath === `/${name}` || missing(one, name))
    if (!fault) return []
    const { description } = schema.properties[name] as { description?: string }
    return [`  ${name}: ${name in given ? fault.message : 'is missing'}${description ? ` (${description})` : ''}`]
  })
  throw new Error(`The configuration is incomplete or wrong. Set these environment variables:\n${lines.join('\n')}`)
}

function missing(fault: { keyword: string; params: unknown }, name: string): boolean {
  const { requiredProperties = [] } = fault.params as { requiredProperties?: string[] }
  return fault.keyword === 'required' && requiredProperties.includes(name)
}
