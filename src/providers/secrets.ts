import { hash } from 'node:crypto'
import { AppError } from '../errors.ts'
import { isAllowedHost } from './hosts.ts'
import { createMask } from './mask.ts'

/** A stored secret, opened: values by key, and the hosts that they may be sent to. */
export interface OpenCredential {
  readonly keys: Readonly<Record<string, string>>
  /** See hosts.ts. */
  readonly allowedHosts: readonly string[]
}

/** Where a secret goes in a text: `{{credentials.NAME.KEY}}`. */
const placeholder = /\{\{ *credentials\.([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{1,64}) *\}\}/g
const begun = /\{\{ *credentials\b/
const unfit = /[\r\n\0]/

/** Names of the credentials that these texts ask for. */
export function credentialNames(texts: Iterable<string>): string[] {
  const names = new Set<string>()
  for (const text of texts) for (const [, name] of text.matchAll(placeholder)) names.add(name!)
  return [...names].sort()
}

export function hasPlaceholder(text: string): boolean {
  return begun.test(text)
}

/** Fills placeholders for one address after the other, and hides what it knows from what comes back. */
export interface Secrets {
  /** Throws egress_refused when a credential is not for this address, credential_missing when there is no such value. */
  fill(text: string, url: URL): string
  /** The same text without any of the secrets, in whatever common encoding. */
  mask(text: string): string
  /** Differs when any value or host does. */
  readonly fingerprint: string
}

export function createSecrets(credentials: ReadonlyMap<string, OpenCredential>): Secrets {
  const values = [...credentials.values()].flatMap(({ keys }) => Object.values(keys))
  const fill = (text: string, url: URL) => {
    const filled = text.replace(placeholder, (_, name: string, key: string) => {
      const credential = credentials.get(name)
      const value = credential && Object.hasOwn(credential.keys, key) ? credential.keys[key] : undefined
      if (value === undefined) throw new AppError('credential_missing', `there is no ${key} of a credential ${name}`)
      if (!isAllowedHost(url, credential!.allowedHosts)) {
        throw new AppError(
          'egress_refused',
          `the credential ${name} may not be sent to ${url.host}: a tenant admin adds it to its allowed hosts`,
        )
      }
      if (unfit.test(value)) throw new AppError('input_invalid', `${key} of the credential ${name} holds a line break`)
      return value
    })
    if (begun.test(text.replace(placeholder, ''))) {
      throw new AppError('input_invalid', 'a placeholder is written {{credentials.NAME.KEY}}')
    }
    return filled
  }
  return { fill, mask: createMask(values), fingerprint: fingerprintOf(credentials) }
}

function fingerprintOf(credentials: ReadonlyMap<string, OpenCredential>): string {
  const all = [...credentials].map(([name, { keys, allowedHosts }]) => [name, Object.entries(keys), allowedHosts])
  return hash('sha256', JSON.stringify(all))
}
