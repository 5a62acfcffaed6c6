import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import t from 'tap'
import { writeArchive } from '../../src/providers/archive.ts'
import type { Files } from '../../src/providers/files.ts'
import { createPackages } from '../../src/worker/packages.ts'
import { tinyPackage } from '../support/tiny-package.ts'

/** Files of two packages, and how often each was read. */
async function shelf() {
  const stored = new Map<string, Buffer>()
  const reads: string[] = []
  for (const name of ['one', 'two']) {
    const bytes = await writeArchive(tinyPackage({ name }))
    stored.set(createHash('sha256').update(bytes).digest('hex'), bytes)
  }
  const bytes = async (key: string) => {
    reads.push(key)
    const found = stored.get(/packages\/(.*)\.tar\.gz$/.exec(key)?.[1] ?? '')
    if (!found) throw new Error('no such file')
    return found
  }
  const files = { bytes, get: async (key: string) => Readable.from([await bytes(key)]) } as unknown as Files
  return { files, reads, digests: [...stored.keys()] as [string, string] }
}

t.test('a package is read once for all runs that come at once, and again for another organization', async (t) => {
  const { files, reads, digests } = await shelf()
  const load = createPackages(files)
  const [a, b] = await Promise.all([load('acme', digests[0]), load('acme', digests[0])])
  t.equal(a, b)
  t.equal(reads.length, 1)
  t.not(await load('beta', digests[0]), a, 'nothing is shared between organizations')
  t.equal(reads.length, 2)
})

t.test('what was not used for longest goes when there is too much', async (t) => {
  const { files, reads, digests } = await shelf()
  const { manifest, files: texts } = await createPackages(files)('acme', digests[0])
  const one = Object.values(texts).reduce((sum, text) => sum + text.length, JSON.stringify(manifest).length)
  const load = createPackages(files, one * 2)
  reads.length = 0
  for (const tenant of ['a', 'b', 'a', 'c']) await load(tenant, digests[0]) // c takes the place of b
  await load('a', digests[0])
  t.equal(reads.length, 3)
  await load('b', digests[0])
  t.equal(reads.length, 4)
})

t.test('a failure is not kept', async (t) => {
  const { files, reads, digests } = await shelf()
  const load = createPackages(files)
  await t.rejects(load('acme', 'unknown'), /no such file/)
  await t.rejects(load('acme', 'unknown'), /no such file/)
  t.equal(reads.length, 2)
  t.ok(await load('acme', digests[1]))
})
