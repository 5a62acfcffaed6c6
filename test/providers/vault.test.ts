import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, copyFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createVault } from '../../src/providers/vault.ts'

const [acme, beta] = [randomUUID(), randomUUID()]

function store(t: Test) {
  const directory = join(t.testdir({}), 'keys')
  return { directory, vault: createVault({ directory }) }
}

const unreadable = { code: 'secret_unreadable' }
const unavailable = { code: 'vault_unavailable' }

t.test('a secret comes back as what it is, to whom it belongs', async (t) => {
  const { vault } = store(t)
  for (const secret of ['sk-1', '', 'ünïcødé 🔑', 'x'.repeat(100_000)]) {
    const sealed = await vault.seal(acme, 'credential:1:1', secret)
    t.equal(await vault.open(acme, 'credential:1:1', sealed), secret)
    if (secret) t.notOk(sealed.includes(secret), 'sealed is not readable')
  }
  const [one, two] = await Promise.all([vault.seal(acme, 'a', 'same'), vault.seal(acme, 'a', 'same')])
  t.notSame(one, two, 'the same secret is sealed differently each time')
})

t.test('another purpose, another version, another tenant: no secret', async (t) => {
  const { vault } = store(t)
  const sealed = await vault.seal(acme, 'credential:1:1', 'sk-1')
  await vault.seal(beta, 'credential:1:1', 'sk-2')
  await t.rejects(vault.open(acme, 'credential:1:2', sealed), unreadable)
  await t.rejects(vault.open(acme, 'credential:2:1', sealed), unreadable)
  await t.rejects(vault.open(beta, 'credential:1:1', sealed), unreadable)
  await t.rejects(vault.open(randomUUID(), 'credential:1:1', sealed), unreadable)
})

t.test('a changed byte anywhere: no secret', async (t) => {
  const { vault } = store(t)
  const sealed = await vault.seal(acme, 'a', 'sk-1')
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed)
    changed[at]! ^= 1
    await t.rejects(vault.open(acme, 'a', changed), unreadable)
  }
  for (const cut of [0, 1, 20, sealed.length - 1]) {
    await t.rejects(vault.open(acme, 'a', sealed.subarray(0, cut)), unreadable)
  }
})

t.test('the store belongs to its user alone', async (t) => {
  const { directory, vault } = store(t)
  await vault.seal(acme, 'a', 'sk-1')
  const modes = (name: string) => (statSync(join(directory, name)).mode & 0o777).toString(8)
  const all = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()
  t.same(
    Object.fromEntries(['.', ...all].map((name) => [name, modes(name)])),
    { '.': '700', 'master.key': '600', tenants: '700', [`tenants/${acme}.json`]: '600' },
    'nothing else is left in it',
  )
  chmodSync(directory, 0o750)
  await t.rejects(vault.seal(acme, 'a', 'sk-1'), unavailable)
  await t.rejects(vault.open(acme, 'a', await sealedApart(t)), unreadable)
})

async function sealedApart(t: Test): Promise<Buffer> {
  return await createVault({ directory: join(t.testdir({}), 'apart') }).seal(acme, 'a', 'sk-1')
}

t.test('a tenant whose key is destroyed has no secrets any more, and can have new ones', async (t) => {
  const { directory, vault } = store(t)
  const [gone, kept] = [await vault.seal(acme, 'a', 'sk-1'), await vault.seal(beta, 'a', 'sk-2')]
  rmSync(join(directory, 'tenants', `${acme}.json`))
  await t.rejects(vault.open(acme, 'a', gone), unreadable)
  t.equal(await vault.open(beta, 'a', kept), 'sk-2')
  t.equal(await vault.open(acme, 'a', await vault.seal(acme, 'a', 'new')), 'new')
  await t.rejects(vault.open(acme, 'a', gone), unreadable, 'the new key opens nothing old')
})

t.test('a lost or another key-encryption key is said, and nothing is made in its place', async (t) => {
  const { directory, vault } = store(t)
  const sealed = await vault.seal(acme, 'a', 'sk-1')
  const master = join(directory, 'master.key')
  const right = readFileSync(master)
  rmSync(master)
  await t.rejects(vault.open(acme, 'a', sealed), unavailable)
  await t.rejects(vault.seal(beta, 'a', 'sk-2'), unavailable)
  t.notOk(readdirSync(directory).includes('master.key'))
  writeFileSync(master, Buffer.alloc(32, 7), { mode: 0o600 })
  await t.rejects(vault.open(acme, 'a', sealed), unavailable)
  await t.rejects(vault.seal(acme, 'a', 'sk-2'), unavailable)
  writeFileSync(master, 'too short', { mode: 0o600 })
  await t.rejects(vault.seal(acme, 'a', 'sk-2'), unavailable)
  writeFileSync(master, right, { mode: 0o600 })
  t.equal(await vault.open(acme, 'a', sealed), 'sk-1', 'put back, all is as before')
})

t.test("a tenant's key in the place of another's opens and seals nothing", async (t) => {
  const { directory, vault } = store(t)
  const sealed = await vault.seal(acme, 'a', 'sk-1')
  await vault.seal(beta, 'a', 'sk-2')
  copyFileSync(join(directory, 'tenants', `${acme}.json`), join(directory, 'tenants', `${beta}.json`))
  await t.rejects(vault.open(beta, 'a', sealed), unavailable)
  await t.rejects(vault.seal(beta, 'a', 'sk-3'), unavailable)
})

t.test('what is wrong with a file is told to the operator, without its path to others', async (t) => {
  const { directory, vault } = store(t)
  const sealed = await vault.seal(acme, 'a', 'sk-1')
  const faults: Error[] = []
  const watched = createVault({ directory, onFault: (error) => faults.push(error) })
  for (const content of ['no JSON', '{}', '{"keys":[]}', 'null']) {
    writeFileSync(join(directory, 'tenants', `${acme}.json`), content)
    await t.rejects(watched.seal(acme, 'a', 'sk-2'), unavailable, content)
    await t.rejects(watched.open(acme, 'a', sealed), /secret cannot be opened|key store/, content)
  }
  t.ok(faults.length >= 4)
  t.notMatch(faults.map(({ message }) => message).join(), directory)
})

t.test('a name that is no tenant leads nowhere', async (t) => {
  const { vault } = store(t)
  await t.rejects(vault.seal('../master', 'a', 'sk-1'), { cause: /not the id of a tenant/ })
})

t.test('processes that make the same keys at once agree on them', async (t) => {
  const { directory } = store(t)
  const tenants = Array.from({ length: 20 }, () => randomUUID())
  const worker = new URL('../support/seal-all.ts', import.meta.url)
  const sealed = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const child = fork(worker, [directory, ...tenants])
      const [answer] = (await once(child, 'message')) as [string[]]
      return answer
    }),
  )
  const vault = createVault({ directory })
  for (const answers of sealed) {
    const opened = answers.map((text, at) => vault.open(tenants[at]!, 'a', Buffer.from(text, 'base64')))
    t.same(await Promise.all(opened), tenants, 'each process sealed with the keys that stayed')
  }
})
