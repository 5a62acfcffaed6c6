import { createHash } from 'node:crypto'
import t from 'tap'
import { testApp } from '../support/app.ts'
import { addMember, seedTenant } from '../support/database.ts'
import { form } from '../support/forms.ts'
import { packageOf } from './work.ts'

// Nothing of a stranger is taken in before the database has said that they may.
const { app, doors, services, keycloak, issuer, tokenFor } = await testApp(t)
const acme = await seedTenant(doors, 'acme')
keycloak.know(acme)
const { tenantId, organizationId, members } = acme

async function deploy(token: string, name: string) {
  const content = await packageOf(name, '1.0.0')
  const upload = form([{ name: 'package', content, fileName: 'package.tar.gz' }])
  const headers = { ...upload.headers, authorization: `Bearer ${token}` }
  const answer = await app.inject({ method: 'POST', url: `/v1/agents/${name}/versions`, headers, body: upload.body })
  const key = `tenants/${tenantId}/packages/${createHash('sha256').update(content).digest('hex')}.tar.gz`
  return { status: answer.statusCode, code: answer.json().code, key }
}

/** What is refused must say so before it reads the form: here the form never ends. */
async function deployEndless(token: string) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'multipart/form-data; boundary=x' }
  const part = '--x\r\nContent-Disposition: form-data; name="package"; filename="p.zip"\r\n\r\nPK'
  const payload = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from(part)) })
  const request = { method: 'POST', headers, body: payload, duplex: 'half', signal: AbortSignal.timeout(5000) } as const
  const answer = await fetch(`${address}/v1/agents/endless/versions`, request as RequestInit)
  return `${answer.status} ${((await answer.json()) as { code: string }).code}`
}

const address = await app.listen({ host: '127.0.0.1', port: 0 })

t.test('12 a package of somebody who was removed is neither read nor stored', async (t) => {
  const token = await tokenFor(acme, 'builder')
  const before = await deploy(token, 'before')
  t.equal(before.status, 201)
  await t.resolves(services.files.bytes(before.key))
  await addMember(doors, tenantId, members.builder, [])
  const after = await deploy(token, 'after')
  t.match(after, { status: 403, code: 'membership_required' })
  await t.rejects(services.files.bytes(after.key), { code: 'not_found' })
  t.equal(await deployEndless(token), '403 membership_required')
  await addMember(doors, tenantId, members.builder, ['builder'])
})

t.test('20 nor of a suspended organization, nor with a stale token', async (t) => {
  const organizations = { acme: { id: organizationId, roles: ['builder'] as const } }
  const early = new Date(Date.now() - 10_000)
  const stale = await issuer.sign({ userId: members.builder, organizations, issuedAt: early })
  await doors.signOutUser(members.builder, new Date(Date.now() - 5000))
  t.equal(await deployEndless(stale), '401 token_stale')
  await doors.setTenantStatus(organizationId, 'suspended', 'platform:test')
  t.equal(await deployEndless(await tokenFor(acme, 'tenant-admin')), '403 organization_suspended')
  const list = { url: '/v1/templates', headers: { authorization: `Bearer ${await tokenFor(acme, 'auditor')}` } }
  t.equal((await app.inject(list)).statusCode, 403, 'and what needs no rows is refused as well')
})
