import { createHash, randomUUID } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import tar from 'tar-stream'
import { readArchive, writeArchive } from '../../src/providers/archive.ts'
import { testApp } from '../support/app.ts'
import { seedTenant } from '../support/database.ts'
import { form } from '../support/forms.ts'
import { tinyPackage } from '../support/tiny-package.ts'

const { app, doors, admin, tokenFor } = await testApp(t)
const acme = await seedTenant(doors, 'acme')
const beta = await seedTenant(doors, 'beta')
const builder = await tokenFor(acme, 'builder')

async function call(method: 'GET' | 'POST', url: string, token = builder, options: object = {}) {
  const { headers, ...rest } = options as { headers?: object }
  const answer = await app.inject({ method, url, headers: { authorization: `Bearer ${token}`, ...headers }, ...rest })
  const json = String(answer.headers['content-type']).includes('json')
  return { status: answer.statusCode, body: json ? answer.json() : undefined, raw: answer.rawPayload }
}

function withVersion(version: string, change: (manifest: Record<string, unknown>) => void = () => undefined) {
  const files = tinyPackage()
  const manifest = JSON.parse(String(files.get('agent.json'))) as Record<string, unknown>
  manifest['version'] = version
  change(manifest)
  files.set('agent.json', Buffer.from(JSON.stringify(manifest)))
  return files
}

async function deploy(files: ReadonlyMap<string, Buffer>, query = '', name = 'tiny', token = builder) {
  const content = await writeArchive(files)
  const upload = form([{ name: 'package', fileName: 'package.tar.gz', content }])
  return await call('POST', `/v1/agents/${name}/versions${query}`, token, upload)
}

t.test('the first version becomes active, later ones when they are promoted', async (t) => {
  t.match(await deploy(withVersion('1.0.0')), { status: 201, body: { version: '1.0.0', active: true } })
  t.match(await deploy(withVersion('1.1.0')), { status: 201, body: { version: '1.1.0', active: false } })
  t.match(await deploy(withVersion('1.2.0'), '?promote=true'), { status: 201, body: { active: true } })
  t.match((await call('GET', '/v1/agents/tiny')).body, { activeVersion: '1.2.0', graph: { entryNode: String } })
  t.match(await call('POST', '/v1/agents/tiny/versions/1.1.0/promote'), { status: 200, body: { active: true } })
  const { body } = await call('GET', '/v1/agents/tiny/versions')
  t.same(
    body.items.map((one: { version: string; active: boolean }) => [one.version, one.active]),
    [
      ['1.2.0', false],
      ['1.1.0', true],
      ['1.0.0', false],
    ],
  )
})

t.test('a version that comes before a release can be addressed as well', async (t) => {
  t.match(await deploy(withVersion('1.3.0-beta.1')), { status: 201, body: { version: '1.3.0-beta.1', active: false } })
  t.match(await call('POST', '/v1/agents/tiny/versions/1.3.0-beta.1/promote'), { status: 200, body: { active: true } })
  t.match(await call('POST', '/v1/agents/tiny/versions/1.1.0/promote'), { status: 200 })
})

t.test('the same bytes again are the same version; other bytes are refused', async (t) => {
  const first = await deploy(withVersion('2.0.0'))
  const again = await deploy(withVersion('2.0.0'))
  t.equal(first.body.id, again.body.id)
  const other = withVersion('2.0.0', (manifest) => {
    manifest['description'] = 'another one'
  })
  t.match(await deploy(other), { status: 409, body: { code: 'version_exists' } })
})

t.test('a download is what was uploaded, under the digest that was said', async (t) => {
  const { body } = await call('GET', '/v1/agents/tiny/versions/1.0.0')
  const { raw } = await call('GET', '/v1/agents/tiny/versions/1.0.0/package')
  t.equal(createHash('sha256').update(raw).digest('hex'), body.digest)
  t.same([...(await readArchive(raw)).keys()].sort(), [...withVersion('1.0.0').keys()].sort())
})

t.test('an archived agent starts nothing until a version is promoted', async (t) => {
  t.match(await call('POST', '/v1/agents/tiny/archive'), { status: 200, body: { status: 'archived' } })
  const start = { body: { agent: 'tiny', input: { number: 1 } } }
  t.match(await call('POST', '/v1/sessions', builder, start), { status: 409, body: { code: 'conflict' } })
  t.equal((await call('POST', '/v1/agents/tiny/versions/1.0.0/promote')).status, 200)
  t.equal((await call('POST', '/v1/sessions', builder, start)).status, 201)
})

t.test('equal names in two organizations have nothing to do with each other', async (t) => {
  const token = await tokenFor(beta, 'builder')
  t.match(await call('GET', '/v1/agents/tiny', token), { status: 404 })
  const other = withVersion('1.0.0', (manifest) => {
    manifest['description'] = 'of beta'
  })
  t.match(await deploy(other, '', 'tiny', token), { status: 201 })
  t.match((await call('GET', '/v1/agents/tiny', token)).body, { description: 'of beta' })
  t.notMatch((await call('GET', '/v1/agents/tiny')).body.description, /of beta/)
})

t.test('every fault of a package is named with file, path and reason, and nothing is stored', async (t) => {
  const broken = withVersion('3.0.0', (manifest) => {
    const graph = manifest['graph'] as { nodes: { tool?: string; type: string }[]; edges: { target: string }[] }
    graph.nodes[0]!.tool = 'no_such_tool'
    graph.edges[0]!.target = 'nowhere'
  })
  const { status, body } = await deploy(broken)
  t.match({ status, code: body.code }, { status: 400, code: 'package_invalid' })
  t.ok(body.faults.length >= 2)
  t.ok(
    body.faults.every(
      (fault: { file: string; path: string; reason: string }) =>
        fault.file === 'agent.json' && fault.path && fault.reason,
    ),
  )
  t.match(await call('GET', '/v1/agents/tiny/versions/3.0.0'), { status: 404 })
})

t.test('a package of another name, or none at all', async (t) => {
  t.match(await deploy(withVersion('1.0.0'), '', 'other'), { status: 400, body: { code: 'package_invalid' } })
  const wrong = form([{ name: 'something', fileName: 'x', content: 'x' }])
  t.match(await call('POST', '/v1/agents/tiny/versions', builder, wrong), { status: 400 })
  const noise = form([{ name: 'package', fileName: 'x', content: 'not an archive' }])
  t.match(await call('POST', '/v1/agents/tiny/versions', builder, noise), {
    status: 400,
    body: { code: 'package_invalid' },
  })
  t.match(await call('POST', '/v1/agents/tiny/versions', builder, { body: { a: 1 } }), { status: 415 })
})

for (const [what, name, code] of [
  ['zip slip', '../../evil', 'package_invalid'],
  ['an absolute path', '/etc/passwd', 'package_invalid'],
  ['a backslash', 'a\\b', 'package_invalid'],
] as const) {
  t.test(`an archive with ${what} is refused and names the entry`, async (t) => {
    const pack = tar.pack()
    pack.entry({ name: 'agent.json' }, '{}')
    pack.entry({ name }, 'x')
    pack.finalize()
    const chunks: Buffer[] = []
    for await (const chunk of pack) chunks.push(chunk as Buffer)
    const upload = form([{ name: 'package', fileName: 'p.tar.gz', content: gzipSync(Buffer.concat(chunks)) }])
    t.match(await call('POST', '/v1/agents/tiny/versions', builder, upload), { status: 400, body: { code } })
  })
}

t.test('only who may write agents deploys, and every deed is in the audit log', async (t) => {
  for (const role of ['operator', 'auditor'] as const) {
    t.match(await deploy(withVersion('9.0.0'), '', 'tiny', await tokenFor(acme, role)), { status: 403 })
  }
  const { rows } = await admin.query('select distinct action from audit_entries where tenant_id = $1 order by 1', [
    acme.tenantId,
  ])
  const actions = rows.map((row) => row.action)
  for (const action of ['agents.archive', 'agents.deploy', 'agents.promote', 'sessions.create'])
    t.ok(actions.includes(action), action)
})

t.test('templates are listed and deployed, twice is once', async (t) => {
  const { body } = await call('GET', '/v1/templates')
  t.ok(body.items.some((one: { name: string }) => one.name === 'hourly-tracking'))
  const first = await call('POST', '/v1/templates/hourly-tracking/deploy')
  const again = await call('POST', '/v1/templates/hourly-tracking/deploy')
  t.match(first, { status: 201, body: { agent: 'hourly-tracking', active: true } })
  t.equal(first.body.id, again.body.id)
  t.match(await call('POST', `/v1/templates/t${randomUUID().slice(0, 8)}/deploy`), { status: 404 })
})

t.test(
  '32 a version that was replaced is started by who may deploy, not past the rules of the active one',
  async (t) => {
    const [operator, admin] = [await tokenFor(acme, 'operator'), await tokenFor(acme, 'tenant-admin')]
    t.equal((await deploy(withVersion('8.0.0'))).status, 201)
    t.equal((await deploy(withVersion('8.1.0'), '?promote=true')).status, 201)
    const start = (version: string, token: string) =>
      call('POST', '/v1/sessions', token, { body: { agent: 'tiny', version, input: { number: 1 } } })
    t.match(await start('8.0.0', operator), { status: 403, body: { code: 'forbidden' } })
    t.match(await start('8.1.0', operator), { status: 201, body: { version: '8.1.0' } }, 'the active one by its name')
    t.match(await start('9.9.9', operator), { status: 404 }, 'one that never existed')
    t.match(await start('8.0.0', builder), { status: 201, body: { version: '8.0.0' } }, 'to try it out')
    t.match(await start('8.0.0', admin), { status: 201 })
  },
)
