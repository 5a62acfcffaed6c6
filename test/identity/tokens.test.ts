import { createHmac } from 'node:crypto'
import { exportSPKI, type JWTPayload } from 'jose'
import t from 'tap'
import { createTokens } from '../../src/identity/tokens.ts'
import { acme, audience, claimsOf, newKey, publisher, sign, verifier } from '../support/verifier.ts'

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

t.test('an access token of ours becomes an identity', async (t) => {
  const key = await newKey('one')
  const keycloak = await publisher(t, key)
  const { ask } = await verifier(t, keycloak)
  const person = {
    email: 'o@acme.test',
    email_verified: true,
    name: 'Olga Acme',
    realm_access: { roles: ['platform-admin'] },
  }
  const claims = claimsOf(keycloak.issuer, person)
  t.same(await ask(await sign(key, claims)), {
    userId: 'user-1',
    issuedAt: claims.iat,
    expiresAt: claims.exp,
    clientId: 'enginex-console',
    serviceAccount: false,
    email: 'o@acme.test',
    emailVerified: true,
    name: 'Olga Acme',
    platformAdmin: true,
    organizations: [{ alias: 'acme', id: acme, roles: ['operator'] }],
  })
})

t.test('forged and unfit tokens are refused', async (t) => {
  const [key, stranger] = await Promise.all([newKey('one'), newKey('one')])
  const keycloak = await publisher(t, key)
  const { ask } = await verifier(t, keycloak)
  const claims = claimsOf(keycloak.issuer)
  const signed = (changes: JWTPayload) => sign(key, claimsOf(keycloak.issuer, changes))
  const refused = async (name: string, token: string) => t.same(await ask(token), { code: 'token_invalid' }, name)
  const now = Math.floor(Date.now() / 1000)

  await refused('alg none', `${encode({ alg: 'none', kid: 'one' })}.${encode(claims)}.`.concat('x'))
  const hmacInput = `${encode({ alg: 'HS256', kid: 'one' })}.${encode(claims)}`
  const hmac = createHmac('sha256', await exportSPKI(key.publicKey))
    .update(hmacInput)
    .digest('base64url')
  await refused('HS256 with the public key as secret', `${hmacInput}.${hmac}`)
  await refused('a key of somebody else under our id', await sign(stranger, claims))
  await refused('no key id', await sign(key, claims, {}))
  await refused('another issuer', await signed({ iss: keycloak.issuer.replace('enginex', 'master') }))
  await refused('another audience', await signed({ aud: 'account' }))
  await refused('expired', await signed({ iat: now - 600, exp: now - 300 }))
  await refused('not yet valid', await signed({ nbf: now + 300 }))
  await refused('no expiry', await signed({ exp: undefined }))
  await refused('an ID token', await signed({ typ: 'ID' }))
  await refused('a refresh token', await signed({ typ: 'Refresh' }))
  await refused('a logout token', await signed({ typ: 'Logout' }))
  await refused('a client that is none of ours', await signed({ azp: 'account-console' }))
  await refused('nobody', await signed({ sub: undefined }))
  const [head, , tail] = (await sign(key, claims)).split('.')
  await refused('claims changed after signing', `${head}.${encode({ ...claims, sub: 'user-2' })}.${tail}`)
  t.same(await ask('x'), { code: 'token_missing' })
})

t.test('the organization claim is told as it is', async (t) => {
  const keycloak = await publisher(t)
  const { toIdentity } = createTokens({ ...keycloak, audience, now: Date.now })
  const organizations = (organization: unknown) =>
    toIdentity({ ...claimsOf(keycloak.issuer), organization }).organizations
  const roles = (client: string, ...names: unknown[]) => ({ [client]: { roles: names } })

  t.same(organizations(undefined), [], 'no claim')
  t.same(organizations({}), [], 'an empty one')
  t.same(organizations(['acme']), [], 'a list of aliases opens nothing')
  t.same(organizations('acme'), [], 'a text opens nothing')
  t.same(organizations({ acme: {} }), [{ alias: 'acme', id: null, roles: [] }], 'an entry without id')
  t.same(
    organizations({ acme: { id: 7, resource_access: null } }),
    [{ alias: 'acme', id: null, roles: [] }],
    'an id that is none',
  )
  const two = {
    acme: { id: acme, resource_access: roles(audience, 'operator', 5) },
    beta: { id: 'b', resource_access: roles('other', 'operator') },
  }
  t.same(
    organizations(two),
    [
      { alias: 'acme', id: acme, roles: ['operator'] },
      { alias: 'beta', id: 'b', roles: [] },
    ],
    'two entries; roles of other clients do not count',
  )
  t.same(organizations(JSON.parse(`{"__proto__": {"id": "p"}}`)), [{ alias: '__proto__', id: 'p', roles: [] }])
})

t.test('only an own service account is one', async (t) => {
  const keycloak = await publisher(t)
  const { toIdentity } = createTokens({ ...keycloak, audience, clients: ['ci'], now: Date.now })
  const claims = (name: string) =>
    claimsOf(keycloak.issuer, { azp: 'ci', preferred_username: name }) as Record<string, unknown>
  t.equal(toIdentity(claims('service-account-ci')).serviceAccount, true)
  t.equal(toIdentity(claims('service-account-other')).serviceAccount, false)
})

t.test('a storm of unknown key ids asks Keycloak once', async (t) => {
  const key = await newKey('one')
  const keycloak = await publisher(t, key)
  const { ask, clock } = await verifier(t, keycloak)
  await ask(await sign(key, claimsOf(keycloak.issuer)))
  t.equal(keycloak.requests, 1)
  clock.ms += 11_000
  const storm = Array.from({ length: 200 }, async (_, index) => {
    const claims = claimsOf(keycloak.issuer, { jti: String(index) })
    return await ask(await sign(key, claims, { kid: `unknown-${index}` }))
  })
  for (const answer of await Promise.all(storm)) t.same(answer, { code: 'token_invalid' })
  t.equal(keycloak.requests, 2, 'one look for all of them')
  clock.ms += 9_000
  await ask(await sign(key, claimsOf(keycloak.issuer), { kid: 'unknown' }))
  t.equal(keycloak.requests, 2, 'and none for ten seconds')
})

t.test('keys rotate without a restart', async (t) => {
  const [old, fresh] = await Promise.all([newKey('old'), newKey('fresh')])
  const keycloak = await publisher(t, old)
  const { ask, clock } = await verifier(t, keycloak)
  const before = await sign(old, claimsOf(keycloak.issuer))
  t.match(await ask(before), { userId: 'user-1' })
  keycloak.keys = [fresh, old]
  clock.ms += 11_000
  t.match(await ask(await sign(fresh, claimsOf(keycloak.issuer, { sub: 'user-2' }))), { userId: 'user-2' })
  t.match(await ask(before), { userId: 'user-1' }, 'the old key is still published')
})

t.test('when a key is withdrawn, every remembered token is verified anew', async (t) => {
  const [old, fresh] = await Promise.all([newKey('old'), newKey('fresh')])
  const keycloak = await publisher(t, old)
  const { ask, tokens, clock } = await verifier(t, keycloak)
  const stolen = await sign(old, claimsOf(keycloak.issuer, { exp: Math.floor(Date.now() / 1000) + 3600 }))
  t.match(await ask(stolen), { userId: 'user-1' })
  t.ok(tokens.get(stolen))
  keycloak.keys = [fresh]
  clock.ms += 5 * 60_000
  // Five minutes later the keys are read again, beside the request that notices it.
  tokens.get(stolen)
  await t.resolves(tokens.keyFor({ alg: 'RS256', kid: 'fresh' }))
  t.equal(tokens.get(stolen), undefined)
  t.same(await ask(stolen), { code: 'token_invalid' })
})

t.test('while Keycloak is down, known keys and tokens go on working', async (t) => {
  const key = await newKey('one')
  const keycloak = await publisher(t, key)
  const { ask, tokens, clock } = await verifier(t, keycloak)
  const token = await sign(key, claimsOf(keycloak.issuer))
  t.match(await ask(token), { userId: 'user-1' })
  keycloak.down = true
  clock.ms += 60_000
  t.match(await ask(token), { userId: 'user-1' }, 'a token seen before')
  t.match(await ask(await sign(key, claimsOf(keycloak.issuer, { sub: 'user-2' }))), { userId: 'user-2' }, 'a new one')
  t.same(await ask(await sign(key, claimsOf(keycloak.issuer), { kid: 'new' })), { code: 'identity_unavailable' })
  t.equal(tokens.healthy(), false)
  keycloak.down = false
  clock.ms += 11_000
  t.same(await ask(await sign(key, claimsOf(keycloak.issuer), { kid: 'new' })), { code: 'token_invalid' })
  t.equal(tokens.healthy(), true)
})

t.test('a key set without keys is a fault, not a rotation', async (t) => {
  const key = await newKey('one')
  const keycloak = await publisher(t, key)
  const { ask, tokens, clock } = await verifier(t, keycloak)
  const token = await sign(key, claimsOf(keycloak.issuer))
  await ask(token)
  keycloak.keys = []
  clock.ms += 11_000
  t.same(await ask(await sign(key, claimsOf(keycloak.issuer), { kid: 'new' })), { code: 'identity_unavailable' })
  t.ok(tokens.get(token))
})

t.test('the memory is bounded, exact, and forgets at expiry', async (t) => {
  const key = await newKey('one')
  const keycloak = await publisher(t, key)
  const { ask, tokens, clock } = await verifier(t, keycloak, 3)
  const signed: string[] = []
  for (const sub of ['a', 'b', 'c', 'd']) signed.push(await sign(key, claimsOf(keycloak.issuer, { sub })))
  for (const token of signed) await ask(token)
  t.same(
    signed.map((token) => tokens.get(token)?.userId),
    [undefined, 'b', 'c', 'd'],
    'each has its own entry; the oldest made room',
  )
  t.equal(tokens.get(`${signed[1]}x`), undefined, 'nearly the same token is another one')
  clock.ms += 301_000
  t.equal(tokens.get(signed[1]!), undefined)
})
