import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const secretNames = [
  'postgres',
  'keycloakDatabase',
  'databaseOwner',
  'databaseApi',
  'databaseWorker',
  'keycloakAdmin',
  'adminClient',
  'demoClient',
] as const

/** What the first start decides for a folder, since PostgreSQL and Keycloak then hold it. */
export interface Settings {
  /** Of API and console; Keycloak, its health check and PostgreSQL follow with the next numbers. */
  readonly port: number
  readonly secrets: Readonly<Record<(typeof secretNames)[number], string>>
}

/**
 * The folder's settings: made up on the first start, read from secrets.json (only its owner can) on later ones. Throws
 * one line when the file is lost while data is there, or when another port is wanted than the one Keycloak knows.
 */
export function readSettings(directory: string, wantedPort?: number): Settings {
  const file = join(directory, 'secrets.json')
  const hasData = existsSync(join(directory, 'postgres'))
  if (existsSync(file)) {
    const settings = completed(file, JSON.parse(readFileSync(file, 'utf8')) as Settings)
    if (wantedPort === undefined || wantedPort === settings.port) return settings
    // A start that ended before it made anything has not bound the folder to its port.
    if (!hasData) return write(file, { ...settings, port: wantedPort })
    throw new Error(
      `${directory} was made for port ${settings.port}: start without --port, or choose another folder with --directory.`,
    )
  }
  if (hasData) {
    throw new Error(
      `${file} is missing, and with it the passwords of the data beside it: put it back, or move ${directory} away.`,
    )
  }
  return write(file, { port: wantedPort ?? 8787, secrets: newSecrets() })
}

function newSecrets(): Settings['secrets'] {
  return Object.fromEntries(secretNames.map((name) => [name, randomBytes(24).toString('hex')])) as Settings['secrets']
}

/** With the secrets that the release which wrote the file did not know. They are of roles that each start sets anew. */
function completed(file: string, settings: Settings): Settings {
  if (secretNames.every((name) => Object.hasOwn(settings.secrets, name))) return settings
  return write(file, { ...settings, secrets: { ...newSecrets(), ...settings.secrets } })
}

function write(file: string, settings: Settings): Settings {
  writeFileSync(`${file}.making`, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${file}.making`, file)
  return settings
}
