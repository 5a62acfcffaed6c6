import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { next, startState } from '../../src/engine/machine.ts'
import { type AgentPackage, parsePackage } from '../../src/engine/package.ts'
import { checkInputSchema } from '../../src/engine/schemas.ts'
import { createValueCheck } from '../../src/engine/values.ts'
import { writeArchive } from '../../src/providers/archive.ts'
import { checkCsv, readCsv } from '../../src/providers/csv.ts'
import { checkJson } from '../../src/providers/json-schema.ts'

// The API is one thread for all organizations: what a stranger's package, schema or input makes it compute stays short.
// Each of these took from several seconds to minutes, or all memory; the bounds are wide, so that a busy machine keeps them.

const boundMs = 2000

function briefly<R>(t: Test, what: string, work: () => R): R {
  const started = performance.now()
  const result = work()
  const ms = Math.round(performance.now() - started)
  t.ok(ms < boundMs, `${what}: ${ms} ms`)
  return result
}

const fill = (count: number, make: (index: number) => unknown) =>
  Array.from({ length: count }, (_, index) => make(index))

t.test('52 a manifest of endless lists is refused at once', async (t) => {
  const lists: Record<string, object> = {
    'roles that are numbers': { approvalPolicies: [{ name: 'p', roles: fill(40_000, (index) => index) }] },
    'roles that are objects': { approvalPolicies: [{ name: 'p', roles: fill(20_000, (index) => ({ a: index })) }] },
    'nodes that are nothing': {
      graph: { nodes: fill(50_000, () => 0), terminalNodes: fill(15_000, (index) => [index]) },
    },
  }
  for (const [what, part] of Object.entries(lists)) {
    const files = new Map([['agent.json', Buffer.from(JSON.stringify({ name: 'heavy', ...part }))]])
    const result = briefly(t, what, () => parsePackage(files))
    t.notOk(result.ok)
  }
})

t.test('52 an input that is wrong in every part, a hundred times each', async (t) => {
  const items = { allOf: fill(280, () => ({ type: 'string' })) }
  const schema = { type: 'object', properties: { list: { type: 'array', items } } }
  t.same(checkInputSchema(schema), [], 'a package may bring this schema')
  const heap = process.memoryUsage().heapUsed
  const some = briefly(t, 'first fault', () => checkJson(schema, { list: fill(5000, () => 1) }, 'input'))
  t.same(some, [{ path: 'input/list/0', reason: 'must be string' }])
  const many = briefly(t, 'refused', () => checkJson(schema, { list: fill(400_000, () => 1) }, 'input'))
  t.match(many, [{ path: 'input', reason: 'is too large for so detailed a schema' }])
  t.ok(process.memoryUsage().heapUsed - heap < 200 * 1024 * 1024, 'and no list of a million faults is made')
})

t.test('52 an input that is compared with thousands of allowed values', async (t) => {
  const schema = {
    type: 'object',
    properties: { list: { type: 'array', items: { enum: fill(5000, (index) => index) } } },
  }
  t.same(checkInputSchema(schema), [], 'a package may bring this schema')
  const faults = briefly(t, 'refused', () => checkJson(schema, { list: fill(400_000, () => 4999) }, 'input'))
  t.match(faults, [{ path: 'input' }])
  const problem = briefly(t, 'a tool that returns it', () =>
    createValueCheck()(schema, { list: fill(400_000, () => 4999) }),
  )
  t.match(problem, /too large/)
})

t.test('a form gets every fault at once', async (t) => {
  const schema = { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } }, required: ['c'] }
  t.equal(checkJson(schema, { a: 1, b: 2 }, 'input').length, 3)
})

t.test('51 a file of thousands of columns, all of them empty', async (t) => {
  const csv = (columns: number, rows: number) =>
    Readable.from([
      Buffer.from(`${fill(columns, (index) => `c${index}`).join(',')}\n`),
      ...fill(rows, () => Buffer.from(`${','.repeat(columns - 1)}\n`)),
    ] as Buffer[])
  const schema = { items: { properties: { c0: { type: 'string' } } } } as object
  await t.rejects(readCsv(csv(5000, 1), 'wide', schema), { code: 'input_invalid', message: /more than 500 columns/ })
  await t.rejects(checkCsv(csv(500, 10_100), 'large', schema), { code: 'input_invalid', message: /5000000 values/ })
})

t.test('55 others have their turn while a large file is checked', async (t) => {
  let turns = 0
  const counting = setInterval(() => {
    turns += 1
  }, 0)
  t.teardown(() => clearInterval(counting))
  const rows = fill(20_000, () => Buffer.from('1,2,3,4,5,6,7,8,9,10\n')) as Buffer[]
  await checkCsv(Readable.from([Buffer.from('a,b,c,d,e,f,g,h,i,j\n'), ...rows]), 'long', {})
  t.ok(turns >= 10, `${turns} turns`)
})

t.test('55 others have their turn while a package is packed', async (t) => {
  // Nearly the same again and again: the slowest thing to compress.
  const slow = Buffer.alloc(5 * 1024 * 1024, 'a')
  for (let at = 0; at < slow.length; at += 250) slow[at] = (at * 7919) % 251
  let longest = 0
  let last = performance.now()
  const look = () => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }
  const watching = setInterval(look, 1)
  t.teardown(() => clearInterval(watching))
  const started = performance.now()
  await writeArchive(new Map(['README', 'LICENSE'].map((name) => [name, slow])))
  const ms = Math.round(performance.now() - started)
  look()
  t.ok(longest < Math.max(ms / 2, 100), `nobody waited longer than ${Math.round(longest)} of ${ms} ms`)
})

/** A node that fails its input check again and again, with `edges` to itself, and a list to look at. */
function busy(edges: readonly string[], inputSchema: object): AgentPackage {
  const self = edges.map((expression, index) => {
    return { source: 'fail', target: 'fail', condition: 'conditional', priority: edges.length - index, expression }
  })
  const manifest = {
    name: 'busy',
    version: '1.0.0',
    description: 'never waits',
    goal: { name: 'busy', description: 'never waits' },
    input: { type: 'object', properties: { stuff: { type: 'array' } } },
    graph: {
      entryNode: 'fail',
      nodes: [
        { id: 'fail', type: 'function', tool: 'fail', inputKeys: ['stuff'], outputKeys: [], maxVisits: 998 },
        { id: 'done', type: 'function', tool: 'done', outputKeys: [] },
      ],
      edges: [
        ...self,
        { source: 'fail', target: 'fail', condition: 'on_failure', priority: -1 },
        { source: 'fail', target: 'done', condition: 'on_success', priority: -2 },
      ],
      terminalNodes: ['done'],
      loopConfig: { maxSteps: 1000 },
    },
    tools: [
      { name: 'fail', file: 'tools/a.js', description: 'fails', inputSchema },
      { name: 'done', file: 'tools/a.js', description: 'ends' },
    ],
  }
  const result = parsePackage(
    new Map([
      ['agent.json', Buffer.from(JSON.stringify(manifest))],
      ['tools/a.js', Buffer.from('export default () => ({})')],
    ]),
  )
  if (!result.ok) throw new Error(result.faults[0]?.reason)
  return result.package
}

const start = (agent: AgentPackage, stuff: unknown[]) =>
  next(agent, startState(), {}, { kind: 'start', input: { stuff } })

t.test('42 a run that fails a thousand times without calling anything, over a long list', async (t) => {
  const items = { anyOf: fill(20, (index) => ({ type: 'number', minimum: index })) }
  const agent = busy([], { type: 'object', properties: { stuff: { type: 'array', items } } })
  const { status, error } = briefly(t, 'ends', () => start(agent, [...fill(200_000, () => 1), 'x']))
  t.match({ status, error }, { status: 'failed', error: { code: 'no_progress' } })
})

t.test('42 conditions that look at everything, none of which holds', async (t) => {
  const differ = fill(12, (index) => `one != -${Number(index) + 1}`).join(' && ')
  const conditions = (count: number) => fill(count, (index) => `!stuff.all(one, ${differ}) && visits.fail > ${index}`)
  const agent = busy(conditions(28) as string[], { type: 'object', required: ['missing'] })
  const { error } = briefly(t, 'ends', () =>
    start(
      agent,
      fill(450, (index) => index),
    ),
  )
  t.match(error, { code: 'no_progress' })
  t.throws(() => busy(conditions(300) as string[], {}), { message: /more than 32 edges leave "fail"/ })
})
