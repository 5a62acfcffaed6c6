import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, SignJWT } from 'jose'
import type { Test } from 'tap'
import type { Role } from '../../src/tenancy/permissions.ts'

export interface TokenClaims {
  readonly userId?: string
  /** The organization claim, by alias. */
  readonly organizations?: Readonly<Record<string, { readonly id?: string; readonly roles: readonly Role[] }>>
  readonly platformAdmin?: boolean
  /** Seconds from now; default 300. */
  readonly expiresIn?: number
  readonly issuedAt?: Date
  /** Taken over as they are; undefined removes a claim. */
  readonly other?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
  readonly key?: KeyObject | Uint8Array
}

export interface TokenIssuer {
  readonly issuer: string
  readonly jwksUrl: string
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  sign(claims: TokenClaims): Promise<string>
}

/** Signs access tokens as our realm does, with a key set of its own, served over http. */
export async function startTokenIssuer(t: Pick<Test, 'teardown'>): Promise<TokenIssuer> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const kid = randomUUID()
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256' }] })
  const server = createServer((_request, response) => response.setHeader('content-type', 'application/json').end(jwks))
  server.listen(0, '127.0.0.1').unref()
  await once(server, 'listening')
  t.teardown(() => server.close())
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const issuer = `${origin}/realms/enginex`
  const sign = ({ header, key, ...claims }: TokenClaims) =>
    new SignJWT(payloadOf(issuer, claims))
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid, ...header })
      .sign(key ?? privateKey)
  return { issuer, jwksUrl: `${issuer}/protocol/openid-connect/certs`, kid, privateKey, publicKey, sign }
}

function payloadOf(issuer: string, claims: Omit<TokenClaims, 'header' | 'key'>): Record<string, unknown> {
  const { userId = randomUUID(), organizations, platformAdmin, expiresIn = 300, issuedAt = new Date(), other } = claims
  const seconds = Math.floor(issuedAt.getTime() / 1000)
  const organization = Object.entries(organizations ?? {}).map(([alias, { id, roles }]) => [
    alias,
    { ...(id ? { id } : {}), groups: roles.map((role) => `/${role}s`), resource_access: { 'enginex-api': { roles } } },
  ])
  return {
    iss: issuer,
    aud: 'enginex-api',
    typ: 'Bearer',
    azp: 'enginex-console',
    sub: userId,
    jti: randomUUID(),
    sid: randomUUID(),
    iat: seconds,
    exp: Math.floor(Date.now() / 1000) + expiresIn,
    email_verified: true,
    realm_access: { roles: ['default-roles-enginex', ...(platformAdmin ? ['platform-admin'] : [])] },
    ...(organizations ? { organization: Object.fromEntries(organization) } : {}),
    ...other,
  }
}
