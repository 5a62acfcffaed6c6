import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import type { Test } from 'tap'
import { authentication } from '../../src/api/authenticate.ts'
import { AppError } from '../../src/errors.ts'
import { createTokens } from '../../src/identity/tokens.ts'

export const audience = 'enginex-api'
export const acme = '11111111-1111-4111-8111-111111111111'

export interface SigningKey {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
}

export async function newKey(kid: string): Promise<SigningKey> {
  return { kid, ...(await generateKeyPair('RS256', { extractable: true })) }
}

/** A Keycloak that only publishes keys: which, how often it was asked, and whether it is up, are in the test's hand. */
export async function publisher(t: Test, ...keys: SigningKey[]) {
  const state = { keys, requests: 0, down: false }
  const server = createServer(async (_request, response) => {
    state.requests += 1
    if (state.down) return response.destroy()
    const published = state.keys.map(async ({ kid, publicKey }) => {
      return { ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256' }
    })
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ keys: await Promise.all(published) }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  t.teardown(() => server.closeAllConnections())
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/realms/enginex`
  return Object.assign(state, { issuer, jwksUrl: `${issuer}/protocol/openid-connect/certs` })
}

/** The real path of a request's token: @fastify/jwt for signature and times, our keys, memory and claims. */
export async function verifier(t: Test, { issuer, jwksUrl }: { issuer: string; jwksUrl: string }, capacity?: number) {
  const clock = { ms: Date.now() }
  const tokens = createTokens({ issuer, jwksUrl, audience, now: () => clock.ms, capacity })
  const app = Fastify()
  t.teardown(() => app.close())
  const authenticate = await authentication(app, { tokens, issuer, audience })
  app.get('/', async (request) => await authenticate(request))
  app.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof AppError)) throw error
    return reply.code(400).send({ code: error.code })
  })
  const ask = async (token: string) => {
    const answer = await app.inject({ url: '/', headers: { authorization: `Bearer ${token}` } })
    return answer.json() as Record<string, unknown>
  }
  return { ask, tokens, clock }
}

export function claimsOf(issuer: string, changes: JWTPayload = {}): JWTPayload {
  const iat = Math.floor(Date.now() / 1000)
  const organization = {
    acme: { id: acme, groups: ['/operators'], resource_access: { [audience]: { roles: ['operator'] } } },
  }
  const base = {
    iss: issuer,
    aud: audience,
    sub: 'user-1',
    iat,
    exp: iat + 300,
    typ: 'Bearer',
    azp: 'enginex-console',
    organization,
  }
  return { ...base, ...changes }
}

export async function sign(
  key: SigningKey,
  claims: JWTPayload,
  header: { kid?: string } = { kid: key.kid },
): Promise<string> {
  return await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...header }).sign(key.privateKey)
}
