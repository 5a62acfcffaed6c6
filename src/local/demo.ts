import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { DemoData, DemoOrganization } from './demo-data.ts'

const template = 'hourly-tracking'
const sample = new URL(`../templates/${template}/sample/`, import.meta.url)

export interface DemoOptions {
  readonly url: string
  readonly keycloakUrl: string
  readonly clientSecret: string
  readonly data: DemoData
}

/**
 * Sets the demonstration up over the API, as any client could: the organizations, the pilot template in each, and one
 * session that waits for a person. Does only what is missing. Throws when an answer is not the expected one.
 */
export async function setUpDemo(options: DemoOptions): Promise<void> {
  const platform = await client(options)
  for (const { alias, name, domain } of options.data.organizations) {
    await platform('POST', '/v1/platform/organizations', { alias, name, adminEmail: `admin@${domain}` }, [409])
  }
  await Promise.all(options.data.organizations.map((organization) => setUpOrganization(options, organization)))
}

interface PilotSession {
  readonly id: string
  readonly run: { readonly status: string; readonly error?: { readonly message: string } | null }
}

async function setUpOrganization(options: DemoOptions, { alias, name }: DemoOrganization): Promise<void> {
  const request = await client(options, alias)
  // 409: this version was deployed from an older checkout, or somebody went on with the agent.
  await request('POST', `/v1/templates/${template}/deploy`, undefined, [409])
  const { items } = await request<{ items: PilotSession[] }>('GET', `/v1/sessions?agent=${template}`)
  const { id } = items.find(({ run }) => run.status !== 'failed') ?? (await startPilot(request, name))
  const deadline = performance.now() + 60_000
  for (;;) {
    const { run } = await request<PilotSession>('GET', `/v1/sessions/${id}`)
    if (run.status === 'failed') throw new Error(`The pilot session of ${name} failed: ${run.error?.message}`)
    if (!['queued', 'running'].includes(run.status)) return
    if (performance.now() > deadline) throw new Error(`The pilot session of ${name} does not get to its approval.`)
    await delay(200)
  }
}

async function startPilot(request: Request, name: string): Promise<PilotSession> {
  const form = new FormData()
  const session = { agent: template, title: `Transactions of ${name}, first reconciliation`, input: {} }
  form.append('request', JSON.stringify(session))
  for (const file of ['broker', 'investor']) {
    const bytes = await readFile(new URL(`${file}.csv`, sample))
    form.append(file, new Blob([bytes], { type: 'text/csv' }), `${file}.csv`)
  }
  return await request<PilotSession>('POST', '/v1/sessions', form)
}

type Request = <T>(method: string, path: string, body?: object, accepted?: readonly number[]) => Promise<T>

/** Speaks as the service account enginex-demo: for one organization, or for the platform. */
async function client({ url, keycloakUrl, clientSecret }: DemoOptions, alias?: string): Promise<Request> {
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: 'enginex-demo',
    client_secret: clientSecret,
  })
  if (alias) body.set('scope', `organization:${alias}`)
  const address = `${keycloakUrl}/realms/enginex/protocol/openid-connect/token`
  const signedIn = await fetch(address, { method: 'POST', body })
  if (!signedIn.ok) throw new Error(`The demonstration's service account could not sign in: ${await signedIn.text()}`)
  const { access_token } = (await signedIn.json()) as { access_token: string }
  return async <T>(method: string, path: string, content?: object, accepted: readonly number[] = []) => {
    const headers: Record<string, string> = { authorization: `Bearer ${access_token}` }
    const form = content instanceof FormData
    if (content && !form) headers['content-type'] = 'application/json'
    const answer = await fetch(`${url}${path}`, {
      method,
      headers,
      body: form ? content : content && JSON.stringify(content),
    })
    const text = await answer.text()
    if (!answer.ok && !accepted.includes(answer.status))
      throw new Error(`${method} ${path} answered ${answer.status}: ${text}`)
    return JSON.parse(text) as T
  }
}
