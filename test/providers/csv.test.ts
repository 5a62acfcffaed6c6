import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import type { AppError } from '../../src/errors.ts'
import { checkCsv, type RowsSchema, readCsv } from '../../src/providers/csv.ts'

const schema = {
  type: 'array',
  maxItems: 1000,
  uniqueBy: 'id',
  items: {
    type: 'object',
    required: ['id', 'amount'],
    properties: { id: { type: 'string', minLength: 1 }, amount: { type: 'string', format: 'decimal' } },
  },
}

function read(content: string | Buffer, more: RowsSchema = {}) {
  return readCsv(Readable.from([Buffer.from(content as string)]), 'broker', { ...schema, ...more })
}

/** The faults of a file that is refused. */
async function faults(content: string | Buffer, more: RowsSchema = {}) {
  const error: AppError = await read(content, more).then(
    () => t.fail('it was accepted') as never,
    (error) => error,
  )
  return { code: error.code, message: error.message, faults: error.faults.map((fault) => ({ ...fault })) }
}

t.test('rows come as text, in order, whatever the dialect of line ends and quotes', async (t) => {
  const expected = [
    { id: '1', amount: '1.10', note: 'a, "b"\nc' },
    { id: '2', amount: '-2', note: '' },
  ]
  const lines = ['id,amount,note', '1,1.10,"a, ""b""\nc"', '2,-2,']
  t.same(await read(lines.join('\n')), expected)
  t.same(await read(`\uFEFF${lines.join('\n')}\n\n`), expected, 'with a byte order mark and an empty last line')
  t.same(await read('id,amount,note\r\n2,-2,\r\n'), [expected[1]])
  t.same(await read('id;amount,id,amount\nx,1,1.10\n'), [{ 'id;amount': 'x', id: '1', amount: '1.10' }])
  t.same(await read('id,amount\n'), [])
})

t.test('characters may be cut anywhere between two pieces of a file', async (t) => {
  const bytes = Buffer.from('\uFEFFid,amount,note\n1,2,é€😀\n')
  const pieces = Array.from(bytes, (byte) => Buffer.from([byte]))
  t.same(await readCsv(Readable.from(pieces), 'broker', schema), [{ id: '1', amount: '2', note: 'é€😀' }])
})

t.test('a path is read as well, and closed whatever happens', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'enginex-csv-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'rows.csv')
  const open = async () => (await readdir('/proc/self/fd')).length
  await writeFile(path, 'id,amount\n1,2\n')
  t.same(await readCsv(path, 'broker', schema), [{ id: '1', amount: '2' }])
  const before = await open()
  await writeFile(path, `id,amount\n${'1,x\n'.repeat(500_000)}`)
  for (let time = 0; time < 10; time++) await t.rejects(readCsv(path, 'broker', schema), { code: 'input_invalid' })
  t.ok((await open()) - before <= 1, 'no file stays open')
  await t.rejects(readCsv(join(folder, 'none.csv'), 'broker', schema), { code: 'ENOENT' })
})

t.test('a fault names its file, line and column', async (t) => {
  t.same(await faults('id,amount\n1,2\n2,1.2.3\n3,"1,50"\n'), {
    code: 'input_invalid',
    message: 'broker line 3: column amount: must match format "decimal"',
    faults: [
      { file: 'broker', line: 3, reason: 'column amount: must match format "decimal"' },
      { file: 'broker', line: 4, reason: 'column amount: must match format "decimal"' },
    ],
  })
  for (const amount of ['', '1e5', ' 1', '0x10', 'NaN', '1.', '.5', '+1', '--1', '1_000', '９', '1'.repeat(21)]) {
    t.match((await faults(`id,amount\n1,${amount}\n`)).faults, [{ line: 2, reason: /column amount/ }], amount)
  }
  t.match((await faults('id,amount\n1,2\n2,3\n1,4\n')).faults, [
    { line: 4, reason: 'column id: 1 stands in an earlier row already' },
  ])
  t.match((await faults('id,amount\n,2\n')).faults, [{ line: 2, reason: /column id/ }])
  t.match((await faults('id,amount\n1,2\n2\n')).faults, [{ line: 3, reason: /more or fewer values/ }])
  t.match((await faults('id,amount\n1,2,3\n')).faults, [{ line: 2, reason: /more or fewer values/ }])
  t.match((await faults('id,amount,note\n1,2,"a\nb"\n2,x,\n')).faults, [{ line: 4 }], 'lines are those of the file')
})

t.test('a header that cannot be used is named', async (t) => {
  const reasons = {
    'id,fees\n1,2\n': 'the header line lacks the column amount',
    'a,b\n1,2\n': 'the header line lacks the column id, amount',
    'id,amount,id\n': 'the header line has the column id twice',
    'id,amount,,\n': 'the header line has the column (empty) twice',
    'id,amount,__proto__\n1,2,3\n': 'a column has a name that is not allowed',
    'id,amount,constructor\n1,2,3\n': 'a column has a name that is not allowed',
    '': 'the file is empty; it needs a header line',
    '\n\n': 'the file is empty; it needs a header line',
  }
  for (const [content, reason] of Object.entries(reasons)) {
    t.match((await faults(content)).faults, [{ file: 'broker', reason }], JSON.stringify(content))
  }
})

t.test('what is no text in UTF-8 is refused in words', async (t) => {
  const latin1 = Buffer.from('id,amount,note\n1,2,caf\xe9\n', 'latin1')
  const utf16 = Buffer.from('\uFEFFid,amount\n1,2\n', 'utf16le')
  const halved = Buffer.from('id,amount,note\n1,2,é').subarray(0, -1)
  for (const bytes of [latin1, utf16, halved, Buffer.from([0xed, 0xa0, 0x80])]) {
    t.match((await faults(bytes)).faults, [{ reason: /UTF-8|NUL/ }])
  }
  t.match((await faults('id,amount\n1,2\0\n')).faults, [{ reason: /NUL/ }])
  t.match(
    (await faults(Buffer.from('PK\x03\x04\x14\0\0\0', 'latin1'))).faults,
    [{ reason: /NUL|UTF-8/ }],
    'a spreadsheet',
  )
})

t.test('many faults are shown up to a limit, too many rows are one fault', async (t) => {
  t.equal((await faults(`id,amount\n${'1,x\n'.repeat(100)}`)).faults.length, 20)
  const rows = Array.from({ length: 1001 }, (_, index) => `${index},1`).join('\n')
  t.match((await faults(`id,amount\n${rows}\n`)).faults, [{ line: 1002, reason: 'more than 1000 rows' }])
  t.equal((await read(`id,amount\n${rows}\n`, { maxItems: 5000 })).length, 1001)
})

t.test('a file without end is left early, and the process does not grow with it', async (t) => {
  const endless = {
    rows: (index: number) =>
      Array.from({ length: 1000 }, (_, row) => `${index}-${row},1,`)
        .join('\n')
        .concat('\n'),
    'one line': () => 'x'.repeat(64 * 1024),
    'an open quote': (index: number) => (index === 0 ? '1,2,\n2,3,"' : 'x\n'.repeat(32 * 1024)),
    'wide rows': (index: number) => `${index},1,${'é'.repeat(30_000)}\n`,
    'empty lines': () => '\n'.repeat(64 * 1024),
  }
  const before = process.memoryUsage().rss
  for (const [name, chunk] of Object.entries(endless)) {
    let sent = 0
    const source = Readable.from(
      (function* () {
        yield Buffer.from(name === 'one line' ? 'id,amount' : 'id,amount,note\n')
        for (let index = 0; index < 32 * 1024; index++) {
          const bytes = Buffer.from(chunk(index))
          sent += bytes.length
          yield bytes
        }
      })(),
    )
    const refusal = await readCsv(source, 'broker', { ...schema, maxItems: 100_000 }).catch((error) => error)
    t.equal(refusal.code, 'input_invalid', `${name}: ${refusal.message} after ${Math.round(sent / 1024 / 1024)} MB`)
    t.ok(sent < 65 * 1024 * 1024, `${name}: left after ${sent} bytes`)
    t.ok(source.destroyed, 'the source is not read any further')
  }
  const grown = Math.round((process.memoryUsage().rss - before) / 1024 / 1024)
  t.comment(`endless files: the process grew by ${grown} MB`)
})

t.test('checking alone finds the same faults', async (t) => {
  const check = (content: string) => checkCsv(Readable.from([Buffer.from(content)]), 'broker', schema)
  t.equal(await check('id,amount\n1,2\n'), undefined)
  await t.rejects(check('id,amount\n1,2\n1,x\n'), { code: 'input_invalid', faults: [{ line: 3 }, { line: 3 }] })
})

t.test('5,000 rows', async (t) => {
  const rows = Array.from({ length: 5000 }, (_, index) => `T-${index},${index}.25,EUR,2026-01-01`).join('\n')
  const started = performance.now()
  t.equal((await read(`id,amount,currency,booked_at\n${rows}\n`, { maxItems: 10_000 })).length, 5000)
  t.comment(`5,000 rows: ${Math.round(performance.now() - started)} ms`)
})

t.test('a source that fails is no fault of the person who sent it', async (t) => {
  const broken = Readable.from(
    (async function* () {
      yield Buffer.from('id,amount\n')
      throw new Error('the disk is gone')
    })(),
  )
  await t.rejects(readCsv(broken, 'broker', schema), { message: 'the disk is gone' })
})
