import { randomUUID } from 'node:crypto'
import type { InjectOptions } from 'fastify'
import type { Route } from '../../src/tenancy/route.ts'
import { packageOf, skillOf, type Work } from './work.ts'

/** What a route's example is made of. A route that needs more than this knows must be added here, or the matrix fails. */
export interface Sample {
  /** A JSON body. */
  readonly body?: (work: Work) => object
  /** The package to upload, as a form. */
  readonly form?: (work: Work) => Promise<Form>
  /** What must be so before the route can succeed. */
  readonly before?: string
  /** The path names what the route makes, so a foreign name is as good as any. */
  readonly makes?: true
}

interface Form {
  readonly headers: Record<string, string>
  readonly payload: Buffer
}

const bodies: Readonly<Record<string, Sample>> = {
  'POST /agents/:name/versions': {
    form: (work) => formOf('package', 'package.tar.gz', () => packageOf(work.agent, '2.0.0')),
    makes: true,
  },
  'POST /sessions': { body: (work) => ({ agent: work.agent, title: 'a new one', input: {} }) },
  'POST /sessions/:sessionId/messages': { body: ({ messageId }) => ({ text: 'yes', messageId }) },
  'POST /sessions/:sessionId/pause': {},
  'POST /sessions/:sessionId/resume': { before: "update app.runs set status = 'paused' where id = $1" },
  'POST /sessions/:sessionId/cancel': {},
  'POST /sessions/:sessionId/runs': { body: () => ({}), before: "update app.runs set status = 'failed' where id = $1" },
  'POST /agents/:name/versions/:version/promote': {},
  'POST /agents/:name/archive': {},
  'POST /templates/:template/deploy': {},
  'PUT /credentials/:name': {
    body: ({ agent }) => ({ type: 'api_key', keys: { key: `secret of ${agent}` }, allowedHosts: ['api.example.com'] }),
    makes: true,
  },
  'DELETE /credentials/:name': {},
  'PUT /models/:purpose': {
    body: ({ agent }) => ({ provider: 'openai_compatible', model: agent, baseUrl: 'https://8.8.8.8/v1' }),
    makes: true,
  },
  'DELETE /models/:purpose': {},
  'POST /models/:purpose/test': {},
  'PUT /mcp-servers/:name': {
    body: () => ({ transport: 'stdio', command: 'sample', allowedTools: ['*'] }),
    makes: true,
  },
  'DELETE /mcp-servers/:name': {},
  'POST /mcp-servers/:name/discover': {},
  'PUT /skills/:name': {
    form: (work) => formOf('skill', 'SKILL.md', async () => Buffer.from(skillOf(work.agent))),
    makes: true,
  },
  'DELETE /skills/:name': {},
  'PUT /approval-policies/:name': { body: () => ({ roles: ['operator'], quorum: 2 }), makes: true },
  'DELETE /approval-policies/:name': {},
  'PUT /approval-settings': { body: () => ({ approveOnExpiry: true }) },
  'PUT /members/me/delegation': {
    body: ({ delegateId }) => ({ delegateId, startsAt: '2099-01-01T00:00:00Z', endsAt: '2099-02-01T00:00:00Z' }),
  },
  'DELETE /members/me/delegation': {},
  'PUT /members/me/notifications': { body: () => ({ mail: true }) },
  'POST /notification-endpoints': { body: () => ({ url: 'https://8.8.8.8/hook', events: ['run.failed'] }) },
  'PATCH /notification-endpoints/:endpointId': { body: () => ({ events: ['run.completed'] }) },
  'DELETE /notification-endpoints/:endpointId': {},
  'POST /notification-endpoints/:endpointId/secret': {},
  'POST /notification-endpoints/:endpointId/test': {},
  'POST /approvals/:approvalId/decision': {
    body: ({ payloadHash }) => ({ decision: 'approve', payloadHash, reason: 'it is right' }),
  },
  'POST /triggers': {
    body: ({ agent }) => ({ kind: 'timer', name: `new of ${agent}`, agent, schedule: { everyMinutes: 60 } }),
  },
  'PATCH /triggers/:triggerId': { body: () => ({ maxConcurrent: 5 }) },
  'DELETE /triggers/:triggerId': {},
  'POST /triggers/:triggerId/enable': {},
  'POST /triggers/:triggerId/disable': {},
  'POST /triggers/:triggerId/adopt': {},
  'POST /triggers/:triggerId/rotate-secret': {},
  'POST /triggers/:triggerId/fire': { body: () => ({ input: {} }) },
  'POST /hooks/:triggerId': { body: () => ({ event: 'a message' }) },
  'POST /me/sign-out': {},
  'POST /platform/organizations': {
    body: () => ({
      alias: `made-${randomUUID().slice(0, 8)}`,
      name: `Made ${randomUUID()}`,
      adminEmail: 'a@made.test',
    }),
  },
  'POST /platform/organizations/:organizationId/suspend': {},
  'POST /platform/organizations/:organizationId/reactivate': {},
}

export function nameOf(route: Route): string {
  return `${route.method} ${route.path}`
}

/** The example of a route; undefined when a route that writes has none. */
export function sampleOf(route: Route): Sample | undefined {
  return route.method === 'GET' ? {} : bodies[nameOf(route)]
}

/** Example values of path parameters. Those of `work` are real; the others were never anybody's. */
export function paramsOf(route: Route, work: Work, organizationId: string): Record<string, string> {
  const known: Record<string, string> = {
    name: work.agent,
    purpose: work.agent,
    version: work.version,
    template: 'hourly-tracking',
    sessionId: work.sessionId,
    runId: work.runId,
    approvalId: work.approvalId,
    step: '1',
    reportId: work.reportId,
    triggerId: work.triggerId,
    endpointId: work.endpointId,
    file: route.path.startsWith('/reports') ? 'report.html' : 'ledger',
    organizationId,
  }
  const names = [...route.path.matchAll(/:(\w+)/g)].map((match) => match[1]!)
  return Object.fromEntries(
    names.map((name) => [name, known[name] ?? fail(`no example for :${name} of ${route.path}`)]),
  )
}

/** The same work as it would be called if it had never existed. */
export function neverExisted(work: Work): Work {
  const names = ['sessionId', 'runId', 'approvalId', 'reportId', 'messageId', 'triggerId', 'endpointId']
  const ids = Object.fromEntries(names.map((name) => [name, randomUUID()]))
  return { ...work, ...ids, agent: `never-${randomUUID().slice(0, 8)}` }
}

/** Whether the path or the body names something that a tenant owns. */
export function namesOwned(route: Route): boolean {
  const inBody = ['POST /sessions', 'POST /triggers']
  const owned = /:(name|purpose|sessionId|runId|approvalId|reportId|triggerId|endpointId)\b/
  return owned.test(route.path) || inBody.includes(nameOf(route))
}

export function pathOf(route: Route, params: Record<string, string>): string {
  return `/v1${route.path.replace(/:(\w+)/g, (_, name) => encodeURIComponent(params[name]!))}`
}

/** The request of a route's example. */
export async function requestOf(route: Route, work: Work, organizationId: string): Promise<InjectOptions> {
  const sample = sampleOf(route) ?? fail(`no example for ${nameOf(route)}: add one to test/isolation/samples.ts`)
  const form = await sample.form?.(work)
  return {
    method: route.method,
    url: pathOf(route, paramsOf(route, work, organizationId)),
    headers: form?.headers ?? {},
    ...(form ? { payload: form.payload } : {}),
    ...(sample.body ? { payload: sample.body(work) } : {}),
  }
}

async function formOf(part: string, fileName: string, content: () => Promise<Buffer>): Promise<Form> {
  const body = new FormData()
  body.append(part, new Blob([new Uint8Array(await content())]), fileName)
  const request = new Request('http://127.0.0.1', { method: 'POST', body })
  return {
    headers: { 'content-type': request.headers.get('content-type')! },
    payload: Buffer.from(await request.arrayBuffer()),
  }
}

function fail(message: string): never {
  throw new Error(message)
}
