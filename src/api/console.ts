import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

export interface ConsoleOptions {
  readonly directory: string
  readonly keycloakUrl: string
  readonly realm: string
}

/** Serves the built console under a strict Content-Security-Policy; its pages' addresses all answer with its one page. */
export async function serveConsole(
  app: FastifyInstance,
  { directory, keycloakUrl, realm }: ConsoleOptions,
): Promise<void> {
  app.get('/console-config.json', { schema: { hide: true } } as never, async () => ({
    keycloakUrl,
    realm,
    clientId: 'enginex-console',
  }))
  const root = resolve(directory)
  if (!existsSync(root)) {
    app.log.warn(`the console is not built (${root}): run npm run build`)
    return
  }
  await app.register(fastifyStatic, {
    root,
    setHeaders: (reply, path) => {
      const silent = path.endsWith('silent-check-sso.html')
      reply.header('content-security-policy', contentSecurityPolicy(new URL(keycloakUrl).origin, silent))
      reply.header('cache-control', path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache')
    },
  })
  for (const url of ['/o/*', '/platform', '/platform/*', '/me', '/me/*', '/signed-out']) {
    app.get(url, { schema: { hide: true } } as never, (_request, reply) => reply.sendFile('index.html'))
  }
}

/** No inline script, nothing from elsewhere; the identity provider may be asked, and framed for the silent sign-in. */
function contentSecurityPolicy(keycloakOrigin: string, framed: boolean): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src 'self' ${keycloakOrigin}`,
    `frame-src 'self' ${keycloakOrigin}`,
    `form-action 'self' ${keycloakOrigin}`,
    "base-uri 'none'",
    `frame-ancestors ${framed ? "'self'" : "'none'"}`,
  ].join('; ')
}
