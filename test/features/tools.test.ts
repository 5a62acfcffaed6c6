import { crc32 } from 'node:zlib'
import t from 'tap'
import type { Role } from '../../src/tenancy/permissions.ts'
import { testApp } from '../support/app.ts'
import { seedTenant, type TestTenant } from '../support/database.ts'
import { form } from '../support/forms.ts'

const { app, admin, doors, keycloak, tokenFor } = await testApp(t)
const [acme, beta] = [await seedTenant(doors, 'acme'), await seedTenant(doors, 'beta')]
for (const tenant of [acme, beta]) keycloak.know(tenant)

async function call(
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  path: string,
  payload?: object,
  who = acme,
  role: Role = 'builder',
) {
  const headers = { authorization: `Bearer ${await tokenFor(who, role)}` }
  const answer = await app.inject({ method, url: `/v1${path}`, headers, ...(payload ? { payload } : {}) })
  return { status: answer.statusCode, json: answer.json() }
}

async function upload(name: string, content: string | Buffer, fileName = 'SKILL.md', who: TestTenant = acme) {
  const { headers, body } = form([{ name: 'skill', fileName, content }])
  const authorization = `Bearer ${await tokenFor(who, 'builder')}`
  const url = `/v1/skills/${name}`
  const answer = await app.inject({ method: 'PUT', url, headers: { ...headers, authorization }, payload: body })
  return { status: answer.statusCode, json: answer.json() }
}

const sample = { transport: 'stdio', command: 'sample', allowedTools: ['*'] }
const remote = { transport: 'streamable_http', url: 'https://93.184.216.34/mcp', allowedTools: ['search'] }

t.test('a server is set up, discovered, changed and deleted', async (t) => {
  const put = await call('PUT', '/mcp-servers/sample', { ...sample, description: 'for tests' })
  t.match(put, { status: 200, json: { name: 'sample', command: 'sample', url: null, tools: null, discoveredAt: null } })
  const found = await call('POST', '/mcp-servers/sample/discover')
  t.match(found, {
    status: 200,
    json: { tools: [{ name: 'whoami', calledAs: 'sample__whoami', allowed: true, problem: null }] },
  })
  t.match((await call('GET', '/mcp-servers/sample')).json, { tools: [{ name: 'whoami' }], discoveredAt: String })
  const list = (await call('GET', '/mcp-servers')).json
  t.match(list.items, [{ name: 'sample' }])
  t.notOk('tools' in list.items[0], 'a list is short')
  await call('PUT', '/mcp-servers/sample', { ...sample, allowedTools: [] })
  t.match((await call('GET', '/mcp-servers/sample')).json, { tools: null }, 'another configuration knows nothing yet')
  t.match((await call('POST', '/mcp-servers/sample/discover')).json, { tools: [{ allowed: false }] })
  t.match(await call('DELETE', '/mcp-servers/sample'), { status: 200, json: { name: 'sample' } })
  t.match(await call('GET', '/mcp-servers/sample'), { status: 404 })
  const { rows } = await admin.query(
    `select action from audit_entries where tenant_id = $1 and action like 'mcp%' order by occurred_at`,
    [acme.tenantId],
  )
  t.same(
    rows.map(({ action }) => action),
    ['mcp_servers.update', 'mcp_servers.discover', 'mcp_servers.update', 'mcp_servers.discover', 'mcp_servers.delete'],
  )
})

t.test('what a tenant says never becomes a program, an argument or an environment', async (t) => {
  for (const extra of [{ args: ['-x'] }, { env: { A: 'b' } }, { cwd: '/' }]) {
    t.match(await call('PUT', '/mcp-servers/evil', { ...sample, ...extra }), { status: 400 }, JSON.stringify(extra))
  }
  for (const command of ['sh', '/bin/sh', '__proto__', 'sample; sh']) {
    const { status, json } = await call('PUT', '/mcp-servers/evil', { ...sample, command })
    t.match({ status, detail: json.detail }, { status: 400, detail: /command must be one of sample/ })
  }
  t.match(await call('PUT', '/mcp-servers/evil', { ...sample, url: 'https://example.com' }), { status: 400 })
  t.match(await call('PUT', '/mcp-servers/evil', { ...sample, headers: {} }), { status: 400 })
})

const wrong: Record<string, [object, number]> = {
  'an address inside': [{ url: 'http://127.0.0.1:8080/mcp' }, 403],
  'an address of the cloud': [{ url: 'http://169.254.169.254/' }, 403],
  'no address': [{ url: 'mcp' }, 400],
  'a file': [{ url: 'file:///etc/passwd' }, 400],
  'a password in the address': [{ url: 'https://a:b@example.com/' }, 400],
  'a placeholder in the address': [{ url: 'https://example.com/?k={{credentials.a.key}}' }, 400],
  'a secret in the clear': [{ headers: { Authorization: 'Bearer abc' } }, 400],
  'another secret in the clear': [{ headers: { 'X-Api-Key': 'abc' } }, 400],
  'a header of the protocol': [{ headers: { 'Mcp-Session-Id': 'abc' } }, 400],
  'a header with a line break': [{ headers: { 'x-a': 'a\r\nb: c' } }, 400],
  'a header that is none': [{ headers: { 'x a': 'b' } }, 400],
  'a command': [{ command: 'sample' }, 400],
}

for (const [what, [change, status]] of Object.entries(wrong)) {
  t.test(`not taken: ${what}`, async (t) => {
    t.match(await call('PUT', '/mcp-servers/wrong', { ...remote, ...change }), { status })
    t.match(await call('GET', '/mcp-servers/wrong'), { status: 404 })
  })
}

t.test('a secret stands as a placeholder, and what lacks it says so', async (t) => {
  const headers = { Authorization: 'Bearer {{credentials.none.token}}', 'X-Team': 'sales' }
  t.match(await call('PUT', '/mcp-servers/remote', { ...remote, headers }), { status: 200, json: { headers } })
  t.match(await call('POST', '/mcp-servers/remote/discover'), { status: 424, json: { code: 'credential_missing' } })
  const long = 'a'.repeat(33)
  t.match(await call('PUT', `/mcp-servers/${long}`, remote), { status: 400, json: { detail: /32 characters/ } })
})

t.test('equal names in two organizations have nothing to do with each other', async (t) => {
  await call('PUT', '/mcp-servers/twin', sample)
  await call('PUT', '/mcp-servers/twin', { ...remote, description: 'of beta' }, beta)
  await call('POST', '/mcp-servers/twin/discover')
  t.match((await call('GET', '/mcp-servers/twin', undefined, beta)).json, { description: 'of beta', tools: null })
  t.match((await call('GET', '/mcp-servers/twin')).json, { command: 'sample', tools: [{ name: 'whoami' }] })
})

t.test('there are not too many', async (t) => {
  await admin.query(
    `insert into app.mcp_servers (tenant_id, name, description, transport, command, headers, allowed_tools, timeout_ms, created_by)
     select $1, 'many-' || n, '', 'stdio', 'sample', '{}', '[]', 1000, 'x' from generate_series(1, 50) n`,
    [beta.tenantId],
  )
  t.match(await call('PUT', '/mcp-servers/more', sample, beta), { status: 409 })
  t.match(await call('PUT', '/mcp-servers/more', sample), { status: 200 }, 'of the others none is counted')
})

const skill = (name: string, body = 'Be kind.') => `---\nname: ${name}\ndescription: how to answer\n---\n${body}\n`

t.test('a skill comes as markdown or in a zip, and is read back', async (t) => {
  t.match(await upload('replies', skill('replies')), {
    status: 200,
    json: { description: 'how to answer', text: skill('replies') },
  })
  t.match(await upload('replies', skill('replies', 'Be brief.')), { status: 200, json: { text: /Be brief/ } })
  t.match((await call('GET', '/skills')).json.items, [{ name: 'replies', description: 'how to answer' }])
  t.match(await call('GET', '/skills/replies', undefined, beta), { status: 404 })
  t.match(await upload('zipped', zip('zipped/SKILL.md', skill('zipped')), 'skill.zip'), { status: 200 })
  t.match(await call('DELETE', '/skills/replies'), { status: 200 })
  t.match(await call('GET', '/skills/replies'), { status: 404 })
})

const bad: Record<string, [content: string | Buffer, fileName: string, status: number]> = {
  'of another name': [skill('other'), 'SKILL.md', 400],
  'without front matter': ['# hello', 'SKILL.md', 400],
  'with a NUL': [skill('bad', 'a\0b'), 'SKILL.md', 400],
  'that is no text': [Buffer.from([0xff, 0xfe, 1]), 'SKILL.md', 400],
  'of more than 64 KB': [skill('bad', 'x'.repeat(70_000)), 'SKILL.md', 400],
  'of 3 MB': [skill('bad', 'x'.repeat(3 * 1024 * 1024)), 'SKILL.md', 413],
  'in a zip that leads out': [zip('../SKILL.md', skill('bad')), 'a.zip', 400],
  'in a zip with something else': [zip('run.sh', 'rm -rf /'), 'a.zip', 400],
  'in half a zip': [zip('SKILL.md', skill('bad')).subarray(0, 40), 'a.zip', 400],
}

for (const [what, [content, fileName, status]] of Object.entries(bad)) {
  t.test(`not taken: a skill ${what}`, async (t) => {
    const answer = await upload('bad', content, fileName)
    t.equal(answer.status, status)
    t.ok(answer.json.detail)
    t.match(await call('GET', '/skills/bad'), { status: 404 })
  })
}

t.test('hostile names of servers and skills lead nowhere', async (t) => {
  for (const name of ['..%2f..%2fetc', '%2e%2e', 'a%00b', 'A', 'a__b', "a'--", 'a'.repeat(65)]) {
    for (const path of [`/skills/${name}`, `/mcp-servers/${name}`]) {
      t.ok([400, 404].includes((await call('GET', path)).status), path)
      t.ok([400, 404].includes((await call('DELETE', path)).status), path)
    }
  }
})

/** A .zip of one stored file. */
function zip(name: string, text: string): Buffer {
  const [path, data] = [Buffer.from(name), Buffer.from(text)]
  const common = Buffer.alloc(26)
  common.writeUInt16LE(20, 0)
  common.writeUInt32LE(crc32(data), 10)
  common.writeUInt32LE(data.length, 14)
  common.writeUInt32LE(data.length, 18)
  common.writeUInt16LE(path.length, 22)
  const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, path, data])
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, Buffer.alloc(14), path])
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(1, 8)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(local.length, 16)
  return Buffer.concat([local, central, end])
}
