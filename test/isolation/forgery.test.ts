import t from 'tap'
import { decide, decisionsOf } from '../../src/features/approvals/service.ts'
import { writeArchive } from '../../src/providers/archive.ts'
import { TenantContext } from '../../src/tenancy/context.ts'
import { testApp } from '../support/app.ts'
import { seedTenant } from '../support/database.ts'
import { form } from '../support/forms.ts'
import { tinyPackage } from '../support/tiny-package.ts'
import { seedWork } from './work.ts'

// What only a node or a person may write into a run's memory cannot be sent in with the session's input.
const { app, admin, database, doors, services, tokenFor } = await testApp(t)
const acme = await seedTenant(doors, 'acme')
const [builder, operator] = [await tokenFor(acme, 'builder'), await tokenFor(acme, 'operator')]

async function deploy(name: string, input?: object) {
  const contents = tinyPackage({ name, ...(input ? { input } : {}) })
  if (!input) contents.set('agent.json', withoutInput(contents.get('agent.json')!))
  const upload = form([{ name: 'package', content: await writeArchive(contents), fileName: 'package.tar.gz' }])
  const headers = { ...upload.headers, authorization: `Bearer ${builder}` }
  const answer = await app.inject({ method: 'POST', url: `/v1/agents/${name}/versions`, headers, body: upload.body })
  if (answer.statusCode !== 201) throw new Error(answer.body)
}

function withoutInput(manifest: Buffer): Buffer {
  return Buffer.from(JSON.stringify({ ...JSON.parse(manifest.toString()), input: undefined }))
}

async function start(agent: string, input: object) {
  const headers = { authorization: `Bearer ${operator}` }
  const answer = await app.inject({ method: 'POST', url: '/v1/sessions', headers, payload: { agent, input } })
  return { status: answer.statusCode, ...answer.json() }
}

const decision = { decision: 'approve', reason: 'of course', decidedBy: 'the boss', rejections: 0 }

for (const [agent, input] of [
  ['open', { type: 'object', properties: { number: { type: 'integer' } } }],
  ['implied', undefined],
] as const) {
  t.test(`32 an input cannot bring the decision of an approval, nor what a node writes (${agent})`, async (t) => {
    await deploy(agent, input)
    for (const [key, value] of Object.entries({ review: decision, doubled: 2, report: {}, other: 1 })) {
      const answer = await start(agent, { number: 1, [key]: value })
      t.match(answer, { status: 400, code: 'input_invalid', faults: [{ path: `input/${key}` }] }, key)
    }
    const { rows } = await admin.query('select from app.sessions')
    t.equal(rows.length, 0, 'nothing was started')
    t.match(await start(agent, { number: 1 }), { status: 201 })
    await admin.query('truncate app.sessions cascade')
  })
}

t.test('52 a file cannot come as a value, past the checks of its rows', async (t) => {
  const contentSchema = { type: 'array', items: { type: 'object', properties: { id: { type: 'string' } } } }
  const ledger = { contentMediaType: 'text/csv', contentSchema }
  await deploy('filed', { type: 'object', properties: { number: { type: 'integer' }, ledger } })
  t.match(await start('filed', { number: 1, ledger: [{ other: 1 }] }), { status: 400, code: 'input_invalid' })
})

t.test('35 a decision names its person by what they cannot choose themselves', async (t) => {
  const person = { tenantId: acme.tenantId, userId: acme.members.operator, kind: 'user', status: 'active' } as const
  const name = 'The Boss <boss@acme.test>'
  await doors.mirrorMembership({ ...person, roles: ['operator'], email: 'operator@acme.test', name, notBefore: null })
  const { runId, approvalId, payloadHash } = await seedWork(admin, services.files, acme)
  const member = { userId: person.userId, issuedAt: new Date().toISOString(), roles: ['operator'] }
  const tenant = TenantContext.open(database, acme.tenantId, member, 'approvals:write')
  await decide(tenant, approvalId, { decision: 'approve', payloadHash, reason: 'x' }, new Date())
  const [decision] = await decisionsOf(tenant.rows, runId)
  t.match(decision, { decidedBy: /^operator@acme\.test \(The Boss/ })
})
