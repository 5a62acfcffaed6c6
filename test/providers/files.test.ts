import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { createFiles } from '../../src/providers/files.ts'

const acme = 'tenants/0198c0de-0000-7000-8000-00000000000a'
const beta = 'tenants/0198c0de-0000-7000-8000-00000000000b'
const limits = { maxBytes: 1024 * 1024 }

async function store(t: Pick<Test, 'teardown'>) {
  const directory = await mkdtemp(join(tmpdir(), 'enginex-files-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const listed = async () => {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  }
  return { directory, listed, files: createFiles({ directory }) }
}

t.test('bytes come back as they were, with their size and hash', async (t) => {
  const { files } = await store(t)
  const content = randomBytes(300_000)
  const sha256 = createHash('sha256').update(content).digest('hex')
  const pieces = Readable.from([content.subarray(0, 1000), content.subarray(1000)])
  t.same(await files.put(`${acme}/inputs/a`, pieces, limits), { bytes: content.length, sha256 })
  t.same(await files.put(`${acme}/inputs/b`, content, limits), { bytes: content.length, sha256 })
  t.ok(content.equals(await files.bytes(`${acme}/inputs/a`)))
  t.ok(content.equals(await buffer(await files.get(`${acme}/inputs/b`))))
  t.match(await files.put(`${acme}/inputs/empty`, Buffer.alloc(0), limits), { bytes: 0 })
  t.equal((await files.bytes(`${acme}/inputs/empty`)).length, 0)
})

t.test('a file is there whole or not at all', async (t) => {
  const { files, listed } = await store(t)
  const key = `${acme}/reports/x.html`
  await files.put(key, Buffer.from('first'), limits)
  await t.rejects(files.put(key, Buffer.alloc(11), { maxBytes: 10 }), { code: 'payload_too_large' })
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(64 * 1024)
    })(),
  )
  await t.rejects(files.put(key, endless, limits), { code: 'payload_too_large' })
  const broken = Readable.from(
    (async function* () {
      yield Buffer.from('half')
      throw new Error('the client went away')
    })(),
  )
  await t.rejects(files.put(key, broken, limits), /went away/)
  t.equal(String(await files.bytes(key)), 'first')
  t.equal((await listed()).length, 1, 'nothing is left beside')
  await files.put(key, Buffer.from('second'), { maxBytes: 6 })
  t.equal(String(await files.bytes(key)), 'second')
})

t.test('whoever reads while others write sees one of the writings', async (t) => {
  const { files, listed } = await store(t)
  const key = `${acme}/packages/x.tar.gz`
  const contents = ['a', 'b', 'c', 'd'].map((letter) => Buffer.alloc(200_000, letter))
  await files.put(key, contents[0]!, limits)
  const writes = Array.from({ length: 40 }, (_, index) => files.put(key, contents[index % 4]!, limits))
  const reads = Array.from({ length: 40 }, () => files.bytes(key))
  for (const seen of await Promise.all(reads)) t.ok(contents.some((content) => content.equals(seen)))
  await Promise.all(writes)
  t.equal((await listed()).length, 1)
})

t.test('no key leaves the tenants, and no answer tells where files are', async (t) => {
  const { files, directory, listed } = await store(t)
  const bad = [
    '',
    'x',
    '/etc/passwd',
    '../x',
    'tenants/x',
    'tenants/../x/y',
    `${acme}`,
    `${acme}/`,
    `${acme}//x`,
    `${acme}/.x`,
  ]
  bad.push(
    `${acme}/../${beta.slice(8)}/x`,
    `${acme}/a/../b`,
    `${acme}/a\0b`,
    `${acme}/a\\b`,
    `${acme}/ä`,
    `${acme}/a b`,
  )
  bad.push(
    `${acme.toUpperCase()}/x`,
    `/${acme}/x`,
    `${acme}/x\n`,
    `${acme}/${'x'.repeat(600)}`,
    'tenants/*/x',
    '%2e%2e/x',
  )
  for (const key of bad) {
    await t.rejects(files.put(key, Buffer.from('x'), limits), /not a key/, key)
    await t.rejects(async () => files.get(key), /not a key/, key)
    await t.rejects(async () => files.bytes(key), /not a key/, key)
    if (key !== acme) await t.rejects(files.remove(key), /not a key/, key)
  }
  t.same(await listed(), [])
  const missing = await files.bytes(`${acme}/inputs/none`).catch((error) => error)
  t.match(missing, { code: 'not_found' })
  t.notOk(missing.message.includes(directory))
  await t.rejects(files.get(`${acme}/inputs/none`), { code: 'not_found' })
})

t.test('what is removed is gone, and only that', async (t) => {
  const { files } = await store(t)
  for (const tenant of [acme, beta]) {
    await files.put(`${tenant}/inputs/a`, Buffer.from('a'), limits)
    await files.put(`${tenant}/inputs/b`, Buffer.from('b'), limits)
    await files.put(`${tenant}/reports/c`, Buffer.from('c'), limits)
  }
  await files.remove(`${acme}/inputs`)
  await t.rejects(files.bytes(`${acme}/inputs/a`), { code: 'not_found' })
  t.equal(String(await files.bytes(`${acme}/reports/c`)), 'c')
  t.equal(String(await files.bytes(`${beta}/inputs/a`)), 'a')
  await files.remove(`${acme}/inputs`)
})

t.test('others on the machine cannot read along', async (t) => {
  const { files, directory } = await store(t)
  await files.put(`${acme}/inputs/a`, Buffer.from('a'), limits)
  t.equal((await stat(join(directory, acme, 'inputs/a'))).mode & 0o077, 0)
  t.equal((await stat(join(directory, acme))).mode & 0o077, 0)
  await symlink('/etc', join(directory, acme, 'links'))
  await t.rejects(files.remove(`${acme}/links/../../x`), /not a key/)
})
