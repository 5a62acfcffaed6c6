import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateRawSync, gunzipSync, gzipSync } from 'node:zlib'
import t from 'tap'
import tar, { type Header } from 'tar-stream'
import { readArchive, writeArchive } from '../../src/providers/archive.ts'

const megabyte = 1024 * 1024

async function tgz(entries: (Partial<Header> & { name: string } & { content?: string | Buffer })[]): Promise<Buffer> {
  const pack = tar.pack()
  for (const { content = '', ...header } of entries) pack.entry(header, content as string)
  pack.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of pack) chunks.push(chunk as Buffer)
  return gzipSync(Buffer.concat(chunks))
}

interface ZipEntry {
  readonly name: string | Buffer
  readonly content?: string | Buffer
  readonly mode?: number
  readonly flags?: number
  /** The size that the archive claims, when it lies. */
  readonly claimed?: number
}

/** A .zip as no library would write it: whatever names, modes, flags and sizes a stranger may think of. */
function zip(...entries: ZipEntry[]): Buffer {
  const [locals, centrals]: [Buffer[], Buffer[]] = [[], []]
  let offset = 0
  for (const { name, content = '', mode = 0o100644, flags = 0, claimed } of entries) {
    const [path, bytes] = [Buffer.from(name as string), Buffer.from(content as string)]
    const packed = deflateRawSync(bytes)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(0x800 | flags, 2)
    common.writeUInt16LE(8, 4)
    common.writeUInt32LE(crc32(bytes), 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(claimed ?? bytes.length, 18)
    common.writeUInt16LE(path.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, path, packed])
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(mode * 65536, 6)
    tail.writeUInt32LE(offset, 10)
    // Made by Unix, so that the mode counts.
    centrals.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 3]), common, tail, path]))
    locals.push(local)
    offset += local.length
  }
  const end = Buffer.alloc(18)
  const central = Buffer.concat(centrals)
  end.writeUInt16LE(entries.length, 4)
  end.writeUInt16LE(entries.length, 6)
  end.writeUInt32LE(central.length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...locals, central, Buffer.from('PK\x05\x06'), end])
}

/** A .tar.gz whose first header is changed, with a checksum to match. */
function edited(plain: Buffer, edit: (header: Buffer) => void): Buffer {
  const copy = Buffer.from(plain)
  edit(copy)
  const sum = [...copy.subarray(0, 512)].reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0)
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return gzipSync(copy)
}

function invalid(file: string, reason: RegExp) {
  return { code: 'package_invalid', faults: [{ file, reason }] }
}

function texts(files: Map<string, Buffer>) {
  return Object.fromEntries([...files].map(([name, content]) => [name, content.toString()]))
}

t.test('both kinds are read, by their bytes, from memory and from disk', async (t) => {
  const files = { 'agent.json': '{}', 'tools/lib/x.js': 'export default 1', 'prompts/extract me.md': 'é' }
  const entries = Object.entries(files).map(([name, content]) => ({ name, content }))
  const packed = [zip(...entries), await tgz(entries)]
  const folder = await mkdtemp(join(tmpdir(), 'enginex-archive-'))
  t.teardown(() => rm(folder, { recursive: true }))
  for (const archive of packed) {
    t.same(texts(await readArchive(archive)), files)
    await writeFile(join(folder, 'upload'), archive)
    t.same(texts(await readArchive(join(folder, 'upload'))), files)
  }
})

t.test('one folder around everything is taken off', async (t) => {
  const wrapped = await tgz([
    { name: 'my-agent/', type: 'directory' },
    { name: 'my-agent/agent.json', content: '{}' },
    { name: 'my-agent/tools/x.js', content: '1' },
  ])
  t.same(texts(await readArchive(wrapped)), { 'agent.json': '{}', 'tools/x.js': '1' })
  t.same(texts(await readArchive(await tgz([{ name: './agent.json', content: '{}' }]))), { 'agent.json': '{}' })
})

t.test('what is written reads back, and equal files give equal bytes', async (t) => {
  const files = new Map([
    ['tools/x.js', Buffer.from('1')],
    ['agent.json', Buffer.from('{}')],
    [`prompts/${'long-'.repeat(19)}.md`, Buffer.alloc(megabyte, 'é')],
  ])
  const written = await writeArchive(files)
  t.same(await readArchive(written), new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1))))
  t.ok(written.equals(await writeArchive(new Map([...files].reverse()))))
  t.same(await readArchive(await writeArchive(new Map())), new Map())
})

t.test('names that lead elsewhere are refused, in both kinds', async (t) => {
  const bad = [
    '../x',
    '/etc',
    'a/../../x',
    'a//b',
    'a\\..\\x',
    'C:x',
    'a/.',
    '..',
    '.env',
    'a/.git',
    'a\nb',
    'ü',
    '',
    ' x',
  ]
  for (const name of [...bad, 'a/b\0.js', `${'a/'.repeat(11)}x`, 'x'.repeat(101)]) {
    const wanted = { code: 'package_invalid', message: /not allowed/ }
    await t.rejects(readArchive(zip({ name: 'agent.json' }, { name })), wanted, `zip ${name}`)
    if (name !== '' && !name.includes('\0'))
      await t.rejects(readArchive(await tgz([{ name, content: '1' }])), wanted, `tar ${name}`)
  }
})

t.test('names that are not UTF-8 are refused', async (t) => {
  const wanted = { code: 'package_invalid', message: /UTF-8/ }
  const bytes = Buffer.from([0x71, 0xff, 0xfe, 0x71])
  await t.rejects(readArchive(zip({ name: bytes })), wanted)
  const block = gunzipSync(await tgz([{ name: 'qqqq', content: '1' }]))
  await t.rejects(readArchive(edited(block, (header) => bytes.copy(header))), wanted)
})

t.test('names that stand twice are refused, also when only their case differs', async (t) => {
  for (const [first, second] of [
    ['a.js', 'a.js'],
    ['a.js', 'A.js'],
    ['x/b', 'X/B'],
  ] as const) {
    const twice = [
      { name: first, content: '1' },
      { name: second, content: '2' },
    ]
    await t.rejects(readArchive(await tgz(twice)), invalid(second, /twice/))
  }
  await t.rejects(readArchive(zip({ name: 'a.js' }, { name: 'a.js' })), invalid('a.js', /twice/))
})

t.test('whatever is no plain file is refused', async (t) => {
  const types = ['symlink', 'link', 'character-device', 'block-device', 'fifo'] as const
  for (const type of types) {
    const archive = await tgz([{ name: 'x', type, linkname: '/etc/passwd', size: 0 }])
    await t.rejects(readArchive(archive), invalid('x', /not a file/), type)
  }
  await t.rejects(readArchive(zip({ name: 'x', content: '/etc/passwd', mode: 0o120777 })), invalid('x', /link/))
  await t.rejects(readArchive(zip({ name: 'x', mode: 0o060666 })), invalid('x', /device/))
  await t.rejects(readArchive(zip({ name: 'x', content: 'secret', flags: 1 })), invalid('x', /encrypted/))
})

t.test('too many, too large and too tightly packed files are refused', async (t) => {
  const many = Array.from({ length: 501 }, (_, index) => ({ name: `tools/${index}.js`, content: '1' }))
  await t.rejects(readArchive(zip(...many)), { code: 'package_too_large', faults: [{ file: 'tools/500.js' }] })
  const list = Array.from({ length: 10_000 }, (_, index) => ({ name: `t/${index}`, content: '1' }))
  await t.rejects(readArchive(await tgz(list)), { code: 'package_too_large', faults: [{ file: 't/500' }] })
  const folders = Array.from({ length: 10_000 }, (_, index) => ({ name: `t/${index}/`, type: 'directory' as const }))
  t.equal((await readArchive(await tgz(folders))).size, 0, 'folders are nothing to keep')

  const zeros = Buffer.alloc(4 * megabyte)
  for (const bomb of [zip({ name: 'bomb', content: zeros }), await tgz([{ name: 'bomb', content: zeros }])]) {
    await t.rejects(readArchive(bomb), { code: 'package_too_large', faults: [{ file: 'bomb', reason: /tightly/ }] })
  }
  const noise = Buffer.from(Array.from({ length: 2 * megabyte }, (_, index) => (index * 2654435761) >>> 24))
  const limits = { maxFiles: 5, maxFileBytes: megabyte, maxBytes: 3 * megabyte, maxRatio: 1e9 }
  await t.rejects(readArchive(zip({ name: 'noise', content: noise }), limits), {
    code: 'package_too_large',
    faults: [{ file: 'noise', reason: /more than 1048576 bytes/ }],
  })
  const wide = { ...limits, maxFileBytes: 5 * megabyte }
  await t.rejects(
    readArchive(
      await tgz([
        { name: 'a', content: noise },
        { name: 'b', content: noise },
      ]),
      wide,
    ),
    {
      code: 'package_too_large',
      faults: [{ file: 'b' }],
    },
  )
})

t.test('a bomb outside of the files is found as well', async (t) => {
  const before = process.memoryUsage().rss
  const started = performance.now()
  const padding = gzipSync(Buffer.alloc(64 * megabyte), { level: 9 })
  const tail = Buffer.concat([await tgz([{ name: 'agent.json', content: '{}' }]), ...Array(16).fill(padding)])
  await t.rejects(readArchive(tail), { code: 'package_too_large' }, 'a gigabyte after the end')
  const file = gunzipSync(await tgz([{ name: 'x', content: Buffer.alloc(64 * megabyte, 'x') }]))
  for (const type of ['L', 'K', 'x', 'g']) {
    const header = edited(file, (header) => header.write(type, 156))
    await t.rejects(readArchive(header), { code: 'package_invalid' }, `64 MB of header ${type}`)
  }
  t.ok(performance.now() - started < 5000, 'in time')
  const grown = Math.round((process.memoryUsage().rss - before) / megabyte)
  t.comment(`the process grew by ${grown} MB`)
})

t.test('a size that lies is found', async (t) => {
  const content = Buffer.alloc(1000, 'abc')
  for (const claimed of [10, 5000]) {
    await t.rejects(readArchive(zip({ name: 'x', content, claimed })), { code: 'package_invalid' })
  }
})

t.test('damaged and foreign files are refused in words', async (t) => {
  const whole = await tgz([{ name: 'agent.json', content: 'x'.repeat(5000) }])
  const zipped = zip({ name: 'agent.json', content: 'x'.repeat(5000) })
  const damaged = [whole.subarray(0, -20), whole.subarray(0, 30), zipped.subarray(0, -30), zipped.subarray(0, 30)]
  const foreign = [Buffer.alloc(0), Buffer.from('{}'), Buffer.from('Rar!\x1a\x07'), gzipSync('no tar at all')]
  for (const bytes of [...damaged, ...foreign, Buffer.from('PK\x03\x04'), Buffer.from([0x1f, 0x8b])]) {
    await t.rejects(readArchive(bytes), { code: 'package_invalid' }, bytes.subarray(0, 8).toString('hex'))
  }
})
