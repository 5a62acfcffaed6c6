import jwt from '@fastify/jwt'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AppError } from '../errors.ts'
import type { Identity, Tokens } from '../identity/tokens.ts'

export interface AuthenticateOptions {
  readonly tokens: Tokens
  readonly issuer: string
  readonly audience: string
}

/**
 * Registers @fastify/jwt with the keys of the identity provider, and returns the function that turns a request's bearer
 * token into an identity. Throws token_missing or token_invalid; a token that was verified before is not verified again
 * as long as it and its key live.
 */
export async function authentication(
  app: FastifyInstance,
  { tokens, issuer, audience }: AuthenticateOptions,
): Promise<(request: FastifyRequest) => Promise<Identity>> {
  const keyOf = async (_request: FastifyRequest, token: { header: { kid?: string; alg?: string } }) =>
    await tokens.keyFor(token.header)
  await app.register(jwt, {
    // Typed as fast-jwt's key fetcher, called by the plugin with the request first.
    secret: keyOf as unknown as jwt.Secret,
    decode: { complete: true },
    verify: {
      algorithms: ['RS256'],
      allowedIss: issuer,
      allowedAud: audience,
      requiredClaims: ['exp', 'iat', 'sub'],
      cache: false,
    },
  })
  return async (request) => {
    const token = bearer(request.headers.authorization)
    const known = tokens.get(token)
    if (known) return known
    const withdrawals = tokens.withdrawals()
    const identity = tokens.toIdentity(await verified(request))
    // One identity for each token, however many requests bring it at once: its admission is remembered with it.
    const meanwhile = tokens.get(token)
    if (meanwhile) return meanwhile
    tokens.set(token, identity, withdrawals)
    return identity
  }
}

function bearer(header: string | undefined): string {
  const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(header ?? '')?.[1]
  if (!token) throw new AppError('token_missing', 'send a bearer token in the Authorization header')
  return token
}

async function verified(request: FastifyRequest): Promise<Record<string, unknown>> {
  try {
    return await request.jwtVerify<Record<string, unknown>>()
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AppError('token_invalid', 'this token is not valid here; sign in again', { cause: error })
  }
}
