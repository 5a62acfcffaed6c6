import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inheritedEnvironment, localConfig } from '../../src/config.ts'
import { demoPassword, testData } from '../../src/local/demo-data.ts'
import { freePort } from '../../src/local/ports.ts'
import { type Part, startStack } from '../../src/local/stack.ts'
import { writeArchive } from '../../src/providers/archive.ts'
import { readTemplate } from '../../src/templates/index.ts'

// npm run smoke: an ephemeral stack with the real Keycloak. Acme and Beta deploy, run and approve the pilot at once and
// read their reports; then everything that Acme made is asked for with Beta's token.

const template = 'hourly-tracking'
const parts: Part[] = []
let passed = 0
let failed = 0

interface Client {
  readonly alias: string
  <T>(method: string, path: string, body?: object): Promise<T>
  readonly raw: (method: string, path: string, body?: object) => Promise<{ status: number; text: string }>
}

/** Runs one step and prints its line; a failure is counted and thrown on. */
async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now()
  const seconds = () => `${((performance.now() - began) / 1000).toFixed(2)} s`
  try {
    const result = await work()
    passed += 1
    console.log(`ok      ${name.padEnd(58)} ${seconds()}`)
    return result
  } catch (error) {
    failed += 1
    console.log(`FAILED  ${name.padEnd(58)} ${seconds()}\n        ${(error as Error).message}`)
    throw error
  }
}

async function start(directory: string) {
  const [api, keycloak, management, postgres] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const names = [
    'postgres',
    'keycloakDatabase',
    'databaseOwner',
    'databaseApi',
    'databaseWorker',
    'keycloakAdmin',
    'adminClient',
    'demoClient',
  ] as const
  const secrets = Object.fromEntries(names.map((name) => [name, randomBytes(16).toString('hex')])) as Record<
    (typeof names)[number],
    string
  >
  const report = { phase: step, note: () => undefined }
  return await startStack(
    {
      directory,
      ports: { api, keycloak, management, postgres },
      secrets,
      durable: false,
      config: localConfig(),
      environment: inheritedEnvironment(),
      demo: testData,
      testClient: true,
      report,
    },
    parts,
  )
}

async function signIn(stack: { url: string; keycloakUrl: string }, email: string, alias?: string): Promise<Client> {
  const scope = alias ? `openid organization:${alias}` : 'openid'
  const form = { grant_type: 'password', client_id: 'enginex-test', username: email, password: demoPassword, scope }
  const answer = await fetch(`${stack.keycloakUrl}/realms/enginex/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams(form),
  })
  const { access_token: token, error_description: fault } = (await answer.json()) as Record<string, string>
  if (!token) throw new Error(`${email} could not sign in: ${fault}`)
  const raw = async (method: string, path: string, body?: object) => {
    const json = body && !(body instanceof FormData)
    const response = await fetch(`${stack.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(json ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: json ? JSON.stringify(body) : (body as FormData) } : {}),
    })
    return { status: response.status, text: await response.text() }
  }
  const call = async <T>(method: string, path: string, body?: object) => {
    const { status, text } = await raw(method, path, body)
    if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${text}`)
    return (text ? JSON.parse(text) : undefined) as T
  }
  return Object.assign(call, { raw, alias: alias ?? '' })
}

async function fileOf(name: string): Promise<Blob> {
  return new Blob([await readFile(new URL(`../../src/templates/${template}/sample/${name}`, import.meta.url))])
}

interface Session {
  id: string
  run: { id: string; status: string; error: { message: string } | null }
}

async function arrives(client: Client, id: string, wanted: string): Promise<Session> {
  const deadline = performance.now() + 60_000
  for (;;) {
    const session = await client<Session>('GET', `/v1/sessions/${id}`)
    if (session.run.status === wanted) return session
    if (['failed', 'cancelled', 'rejected', 'completed'].includes(session.run.status)) {
      throw new Error(`the run is ${session.run.status}: ${session.run.error?.message ?? ''}`)
    }
    if (performance.now() > deadline) throw new Error(`the run is still ${session.run.status}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** One organization's whole way; what it made, for the other one to ask for. */
async function pilot(stack: { url: string; keycloakUrl: string }, alias: string): Promise<string[]> {
  const on = <T>(name: string, work: () => Promise<T>) => step(`${alias}: ${name}`, work)
  const builder = await on('builder signs in', () => signIn(stack, `builder@${alias}.test`, alias))
  const operator = await on('operator signs in', () => signIn(stack, `operator@${alias}.test`, alias))
  await on('deploy the package', async () => {
    const form = new FormData()
    form.append(
      'package',
      new Blob([new Uint8Array(await writeArchive(await readTemplate(template)))]),
      'package.tar.gz',
    )
    return await builder('POST', `/v1/agents/${template}/versions?promote=true`, form)
  })
  const form = new FormData()
  form.append('request', new Blob([JSON.stringify({ agent: template })], { type: 'application/json' }))
  for (const name of ['broker', 'investor']) form.append(name, await fileOf(`${name}.csv`), `${name}.csv`)
  const { id } = await on('start a session with 5,000 rows', () => operator<Session>('POST', '/v1/sessions', form))
  const { run } = await on('from the start to the approval', () => arrives(operator, id, 'waiting'))
  const list = await operator<{ items: { id: string }[] }>('GET', `/v1/approvals?status=pending&sessionId=${id}`)
  const approvalId = list.items[0]!.id
  const { payloadHash } = await operator<{ payloadHash: string }>('GET', `/v1/approvals/${approvalId}`)
  await on('approve', () =>
    operator('POST', `/v1/approvals/${approvalId}/decision`, { decision: 'approve', payloadHash, reason: 'Checked.' }),
  )
  await on('from the decision to the end', () => arrives(operator, id, 'completed'))
  const report = await on('read the report', async () => {
    const { items } = await operator<{ items: { id: string }[] }>('GET', `/v1/reports?sessionId=${id}`)
    const text = await operator<{ facts: object[] }>('GET', `/v1/reports/${items[0]!.id}/files/report.json`)
    if (text.facts.length === 0) throw new Error('the report has no facts')
    return items[0]!.id
  })
  return [
    `/v1/sessions/${id}`,
    `/v1/sessions/${id}/events`,
    `/v1/sessions/${id}/stream`,
    `/v1/sessions/${id}/files/broker`,
    `/v1/runs/${run.id}/steps`,
    `/v1/approvals/${approvalId}`,
    `/v1/reports/${report}`,
    `/v1/reports/${report}/files/report.html`,
  ]
}

/** The other organization's token gets, for each object, the very answer of an id that never existed. */
async function assertInvisible(stranger: Client, path: string): Promise<void> {
  const plain = ({ status, text }: { status: number; text: string }) =>
    `${status} ${text.replace(/"requestId":"[^"]*"/, '')}`
  const foreign = plain(await stranger.raw('GET', path))
  const never = plain(await stranger.raw('GET', path.replace(/[0-9a-f-]{36}/, randomUUID())))
  if (!foreign.startsWith('404') || foreign !== never) throw new Error(`${foreign}\n        differs from ${never}`)
}

async function run(directory: string): Promise<void> {
  const stack = await start(directory)
  const platform = await step('platform admin signs in', () => signIn(stack, 'platform@enginex.test'))
  for (const { alias, name, domain } of testData.organizations) {
    await step(`create ${alias}`, () =>
      platform('POST', '/v1/platform/organizations', { alias, name, adminEmail: `admin@${domain}` }),
    )
  }
  const [ofAcme] = await Promise.all([pilot(stack, 'acme'), pilot(stack, 'beta')])
  const stranger = await signIn(stack, 'admin@beta.test', 'beta')
  for (const path of ofAcme) {
    await step(`beta cannot find ${path.replace(/[0-9a-f-]{36}/, '…')}`, () => assertInvisible(stranger, path))
  }
}

const directory = await mkdtemp(join(tmpdir(), 'enginex-smoke-'))
try {
  await run(directory)
} catch (error) {
  if (failed === 0) {
    failed += 1
    console.error(error)
  }
} finally {
  for (const part of parts.toReversed()) await part.stop()
  await rm(directory, { recursive: true, force: true })
}
console.log(`smoke: ${passed} passed, ${failed} failed`)
process.exit(failed > 0 ? 1 : 0)
