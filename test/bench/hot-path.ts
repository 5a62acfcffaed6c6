import { type ChildProcess, execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { roles } from '../../src/tenancy/permissions.ts'
import { seedTenant, type TestDatabase, testDatabase } from '../support/database.ts'
import { conclude, onStage, stage } from '../support/stage.ts'
import { startTokenIssuer } from '../support/tokens.ts'

// What does isolation cost? A list of 20 rows, asked for by 32 connections in the name of 50 tenants:
//   enginex  this API as it is: token verified, organization claim, app.enter, row level security
//   plain    the same list with Fastify and pg, pooled connections, neither token nor tenancy
//   naive    BEGIN, set_config, query, COMMIT through Kysely on pooled connections, no token
// Goals, as ratios of requests per second: enginex >= 0.85 plain, enginex >= 2 naive.
// The servers are measured in turn, each in a process of its own, PostgreSQL (without fsync) and the load as well. A
// ratio is the median of the rounds' ratios: neighbours on the machine change from one round to the next, and within a
// round they are the same for all. The spread is (highest - lowest) / median.

const goals = { plain: 0.85, naive: 2 }
const rounds = 11
const seconds = 2
const warmUpSeconds = 2
const tenants = 50
const kinds = ['plain', 'enginex', 'naive'] as const
type Kind = (typeof kinds)[number]

interface Load {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly failed: number
}

interface Server {
  readonly url: string
  readonly requests: string
  readonly child: ChildProcess
  readonly loads: Load[]
}

conclude(await onStage({}, measure))

async function measure() {
  const testing = await testDatabase(stage)
  const issuer = await startTokenIssuer(stage)
  const asked: Record<Kind, object[]> = { plain: [], enginex: [], naive: [] }
  for (let index = 0; index < tenants; index += 1) {
    const tenant = await seedTenant(testing.doors, `tenant-${index}`)
    const role = roles[index % roles.length]!
    const organizations = { [tenant.alias]: { id: tenant.organizationId, roles: [role] } }
    const token = await issuer.sign({ userId: tenant.members[role], organizations, expiresIn: 3600 })
    asked.enginex.push({ path: '/v1/agents', headers: { authorization: `Bearer ${token}` } })
    for (const kind of ['plain', 'naive'] as const) asked[kind].push({ path: `/v1/agents?tenant=${tenant.tenantId}` })
  }
  await seedAgents(testing)
  const { appUrl, adminUrl } = testing
  const addresses = JSON.stringify({ appUrl, adminUrl, issuer: issuer.issuer, jwksUrl: issuer.jwksUrl })
  const servers = new Map<Kind, Server>()
  for (const kind of kinds) servers.set(kind, await startServer(kind, addresses, JSON.stringify(asked[kind])))
  await assertSameAnswers([...servers.values()])
  for (const server of servers.values()) await load(server, warmUpSeconds)
  for (let round = 1; round <= rounds; round += 1) {
    for (const server of servers.values()) server.loads.push(await load(server, seconds))
    console.log(
      `round ${round}: ${kinds.map((kind) => `${kind} ${Math.round(servers.get(kind)!.loads.at(-1)!.perSecond)}/s`).join(', ')}`,
    )
  }
  return summarize(servers)
}

async function startServer(kind: Kind, addresses: string, requests: string): Promise<Server> {
  const child = fork(new URL('hot-path-server.ts', import.meta.url), [kind, addresses])
  stage.teardown(() => child.disconnect())
  const [port] = await once(child, 'message')
  return { url: `http://127.0.0.1:${port}`, requests, child, loads: [] }
}

/** Nothing is compared but equal work. */
async function assertSameAnswers(servers: readonly Server[]): Promise<void> {
  const answers = servers.map(async ({ url, requests }) => {
    const [{ path, headers }] = JSON.parse(requests)
    return await (await fetch(`${url}${path}`, { headers })).text()
  })
  const [first, ...others] = await Promise.all(answers)
  if (JSON.parse(first!).items?.length !== 20 || others.some((one) => one !== first)) {
    throw new Error(`the servers answer differently: ${[first, ...others].join('\n')}`)
  }
}

async function load({ url, requests }: Server, forSeconds: number): Promise<Load> {
  const script = new URL('hot-path-load.ts', import.meta.url).pathname
  const { stdout } = await promisify(execFile)(process.execPath, [script, url, String(forSeconds), requests])
  const answer = JSON.parse(stdout) as Load
  if (answer.failed > 0) throw new Error(`${answer.failed} requests failed at ${url}`)
  return answer
}

async function seedAgents({ admin }: TestDatabase): Promise<void> {
  await admin.query(`
    insert into app.agents (tenant_id, name, description, created_by, created_at)
    select tenant_id, 'agent-' || n, 'what it does', 'user:x', now() - n * interval '1 minute'
      from app.tenants, generate_series(1, 100) n`)
  await admin.query(`
    with v as (insert into app.agent_versions (tenant_id, agent_id, version, digest, bytes, manifest, created_by)
               select tenant_id, id, '1.0.0', 'x', 1, '{}', 'user:x' from app.agents returning tenant_id, agent_id, id)
    update app.agents a set active_version_id = v.id from v where v.tenant_id = a.tenant_id and v.agent_id = a.id`)
  await admin.query('vacuum analyze')
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function summarize(servers: ReadonlyMap<Kind, Server>) {
  const all = (kind: Kind, field: keyof Load = 'perSecond') => servers.get(kind)!.loads.map((one) => one[field])
  const figures = kinds.map((kind) => {
    const perSecond = Math.round(median(all(kind)))
    const spread = Number(((Math.max(...all(kind)) - Math.min(...all(kind))) / perSecond).toFixed(2))
    const [p50, p99] = [median(all(kind, 'p50')), median(all(kind, 'p99'))]
    console.log(`${kind}: ${perSecond}/s, p50 ${p50} ms, p99 ${p99} ms, spread ${spread}`)
    return [kind, { perSecond, p50, p99, spread }] as const
  })
  const ratioTo = (kind: Kind) => Number(median(all('enginex').map((one, round) => one / all(kind)[round]!)).toFixed(3))
  const ratios = { plain: ratioTo('plain'), naive: ratioTo('naive') }
  const passed = ratios.plain >= goals.plain && ratios.naive >= goals.naive
  return { bench: 'hot-path', passed, goals, ratios, rounds, seconds, ...Object.fromEntries(figures) }
}
