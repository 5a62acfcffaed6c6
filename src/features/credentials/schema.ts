import { type Static, Type } from 'typebox'
import { allowedHostPattern } from '../../providers/hosts.ts'
import { Id, Nullable, Page, PageQuery, Strict, Time } from '../schema.ts'

export const CredentialName = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$',
  description: 'Letters, digits, hyphens and underscores: the name by which packages, models and tools know it.',
})

export const CredentialType = Type.Enum(['api_key', 'basic_auth', 'bearer_token', 'oauth2', 'custom'])
export type CredentialType = Static<typeof CredentialType>

const AllowedHosts = Type.Array(
  Type.String({ pattern: allowedHostPattern, description: 'host (by https), or host:port.' }),
  { maxItems: 20, uniqueItems: true, description: 'The only hosts that the secret is ever sent to.' },
)

/** What is known of a credential. Its values are never read back. */
export const Credential = Type.Object({
  id: Id,
  name: CredentialName,
  type: CredentialType,
  version: Type.Integer({ description: 'Counts up with each replacement.' }),
  keyNames: Type.Array(Type.String()),
  allowedHosts: Type.Array(Type.String()),
  expiresAt: Nullable(Time),
  createdAt: Time,
  createdBy: Type.String(),
  updatedAt: Time,
})
export type Credential = Static<typeof Credential>

export const CredentialPut = Strict({
  type: CredentialType,
  keys: Type.Record(
    Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_]{0,63}$' }),
    Type.String({ minLength: 1, maxLength: 4096 }),
    {
      minProperties: 1,
      maxProperties: 16,
      additionalProperties: false,
      description:
        'api_key: key · basic_auth: username, password · bearer_token: token · oauth2: accessToken, and as given refreshToken, clientId, clientSecret, tokenUrl, scope · custom: names of your own.',
    },
  ),
  allowedHosts: AllowedHosts,
  expiresAt: Type.Optional(Nullable(Time)),
})
export type CredentialPut = Static<typeof CredentialPut>

export const CredentialPath = Strict({ name: CredentialName })
export const CredentialList = Page(Credential)
export const CredentialQuery = Strict(PageQuery)
