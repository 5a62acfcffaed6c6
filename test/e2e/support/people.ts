import { demoPassword } from '../../../src/local/demo-data.ts'
import { accessToken } from '../../support/keycloak.ts'
import { until } from '../../support/until.ts'
import { sampleFile } from './console.ts'

/** A person's requests to the API, without a browser. */
export type Request = <T>(method: string, path: string, body?: object) => Promise<T>

export const password = demoPassword

/** Speaks as this person in the organization; without one, for themselves. Throws what the API refuses. */
export async function requestsOf(url: string, email: string, alias?: string): Promise<Request> {
  const token = await accessToken(email, alias ? `openid organization:${alias}` : 'openid')
  return async <T>(method: string, path: string, body?: object) => {
    const form = body instanceof FormData
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body && !form ? { 'content-type': 'application/json' } : {}),
    }
    const answer = await fetch(`${url}${path}`, {
      method,
      headers,
      ...(body ? { body: form ? body : JSON.stringify(body) } : {}),
    })
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${await answer.text()}`)
    return (await answer.json()) as T
  }
}

interface Waiting {
  readonly sessionId: string
  readonly approvalId: string
  readonly payloadHash: string
}

/** Starts the pilot and waits until it asks a person. */
export async function startPilot(request: Request, title: string): Promise<Waiting> {
  const form = new FormData()
  form.append('request', JSON.stringify({ agent: 'hourly-tracking', title, input: {} }))
  for (const name of ['broker', 'investor'] as const)
    form.append(name, new Blob([new Uint8Array(await sampleFile(name))], { type: 'text/csv' }), `${name}.csv`)
  const { id: sessionId } = await request<{ id: string }>('POST', '/v1/sessions', form)
  const approval = await until('the pilot asks a person', async () => {
    const path = `/v1/approvals?status=pending&sessionId=${sessionId}`
    return (await request<{ items: { id: string }[] }>('GET', path)).items[0]
  })
  const { payloadHash } = await request<{ payloadHash: string }>('GET', `/v1/approvals/${approval.id}`)
  return { sessionId, approvalId: approval.id, payloadHash }
}

/** Acme and Beta with the pilot deployed, as the platform admin and their builders set them up. */
export async function setUpOrganizations(url: string): Promise<void> {
  const platform = await requestsOf(url, 'platform@enginex.test')
  const organizations = [
    ['acme', 'Acme Corporation'],
    ['beta', 'Beta Industries'],
  ]
  for (const [alias, name] of organizations) {
    await platform('POST', '/v1/platform/organizations', { alias, name, adminEmail: `admin@${alias}.test` })
    const builder = await requestsOf(url, `builder@${alias}.test`, alias)
    await builder('POST', '/v1/templates/hourly-tracking/deploy')
  }
}
