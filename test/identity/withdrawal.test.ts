import Fastify from 'fastify'
import t from 'tap'
import { authentication } from '../../src/api/authenticate.ts'
import { createTokens } from '../../src/identity/tokens.ts'
import { until } from '../support/until.ts'
import { audience, claimsOf, newKey, publisher, sign } from '../support/verifier.ts'

t.test('17 a token is not remembered when its key is withdrawn while it is verified', async (t) => {
  const [stolen, next] = [await newKey('stolen'), await newKey('next')]
  const keycloak = await publisher(t, stolen)
  const clock = { ms: Date.now() }
  const tokens = createTokens({ ...keycloak, audience, now: () => clock.ms })
  let meanwhile: (() => Promise<unknown>) | undefined
  const slow: typeof tokens = {
    ...tokens,
    async keyFor(header) {
      const key = await tokens.keyFor(header)
      await meanwhile?.()
      return key
    },
  }
  const app = Fastify()
  t.teardown(() => app.close())
  const authenticate = await authentication(app, { tokens: slow, issuer: keycloak.issuer, audience })
  app.get('/', async (request) => (await authenticate(request)).userId)
  const ask = async (token: string) =>
    (await app.inject({ url: '/', headers: { authorization: `Bearer ${token}` } })).statusCode

  // Whoever has the key makes tokens that never end, and as many as it takes to meet this moment.
  const forged = await sign(stolen, claimsOf(keycloak.issuer, { exp: Math.floor(clock.ms / 1000) + 1_000_000 }))
  meanwhile = async () => {
    keycloak.keys = [next]
    clock.ms += 10 * 60_000
    const asked = keycloak.requests
    tokens.healthy()
    await until('the keys are read anew', () => keycloak.requests > asked)
    await until('and known', () =>
      tokens.keyFor({ alg: 'RS256', kid: 'stolen' }).then(
        () => false,
        () => true,
      ),
    )
  }
  await ask(forged)
  meanwhile = undefined
  t.not(await ask(forged), 200, 'the next request with it is refused')
})
