import { readFileSync } from 'node:fs'
import t from 'tap'
import { next, startState } from '../../src/engine/machine.ts'
import { parsePackage } from '../../src/engine/package.ts'
import { packageSchema } from '../../src/engine/schema.ts'
import { type Draft, faultsOf, filesOf, packageOf, review, smallest } from './packages.ts'
import { type Chance, chanceOf } from './random-package.ts'

const table = readFileSync(`${import.meta.dirname}/package-faults.txt`, 'utf8')
  .trim()
  .split('\n')

t.test('every kind of fault, at its place, and nothing else', async (t) => {
  const cases = table.filter((line) => line && !line.startsWith('#')).map((line) => line.split(' | '))
  t.ok(cases.length > 80)
  for (const [name = '', changes = '', place = '', reason] of cases) {
    const draft = review()
    for (const [pointer, value] of Object.entries(JSON.parse(changes))) change(draft, pointer, value)
    const faults = faultsOf(draft)
    t.match(faults, [{ file: 'agent.json', path: place === '-' ? '' : place, reason }], name)
    t.equal(faults.length, 1, `${name}: one fault`)
  }
})

function change(draft: Draft, pointer: string, value: unknown) {
  const parts = pointer.split('/').slice(1)
  const last = parts.pop() as string
  const parent = parts.reduce((at, part) => at[part], draft)
  if (value !== null) parent[last] = value
  else if (Array.isArray(parent)) parent.splice(Number(last), 1)
  else delete parent[last]
}

t.test('the draft behind all these cases is sound, and so is the smallest package', async (t) => {
  t.equal(packageOf(review()).manifest.graph.nodes.length, 4)
  t.same(Object.keys(packageOf(smallest()).files).sort(), ['prompts/draft.md', 'tools/echo.js', 'tools/look-up.js'])
})

t.test('all faults at once, each at its place', async (t) => {
  const draft = review()
  draft.colour = 'red'
  draft.graph.edges[0].target = 'nowhere'
  draft.graph.nodes[0].tool = 'nope'
  draft.graph.edges[3].expression = '('
  const faults = faultsOf(draft, { 'tools/notes.txt': 'x' })
  const places = faults.map((fault) => `${fault.file}${fault.path}`)
  for (const place of [
    'tools/notes.txt',
    'agent.json/colour',
    'agent.json/graph/edges/0/target',
    'agent.json/graph/nodes/0/tool',
    'agent.json/graph/edges/3/expression',
  ])
    t.ok(places.includes(place), place)
})

t.test('files', async (t) => {
  const fault = (more: Record<string, string>) => faultsOf(smallest(), more)[0]
  t.match(fault({ 'setup.py': 'x' }), { file: 'setup.py', reason: 'Python' })
  t.match(fault({ 'skills/a/SKILL.md': 'x' }), { file: 'skills/a/SKILL.md', reason: 'must begin with a line "---"' })
  t.match(fault({ 'skills/a/run.sh': 'x' }), { file: 'skills/a/run.sh', reason: 'a skill is one file' })
  t.match(fault({ 'mcp_servers.json': '{}' }), { file: 'mcp_servers.json', reason: 'name the server in mcpServers' })
  t.match(fault({ 'tools/../x.js': 'x' }), { file: 'tools/../x.js', reason: 'not part of a package' })
  t.match(fault({ '.env': 'x' }), { file: '.env', reason: 'not part of a package' })
  t.match(fault({ 'tools/big.js': 'x'.repeat(600 * 1024) }), { file: 'tools/big.js', reason: 'more than 524288' })
  t.match(fault({ 'tools/nul.js': 'a\0' }), { file: 'tools/nul.js', reason: 'UTF-8' })
  t.match(parsePackage(filesOf(smallest()).set('tools/bad.js', new Uint8Array([0xc3, 0x28]))), {
    faults: [{ file: 'tools/bad.js', reason: 'is not UTF-8 text' }],
  })
  t.equal(packageOf(smallest(), { 'README.md': '# Echo', LICENSE: 'MIT' }).files['README.md'], undefined)
})

t.test('a schema of many words', async (t) => {
  const draft = smallest()
  draft.input.properties.question.description = 'x'.repeat(33_000)
  t.match(faultsOf(draft), [{ path: '/input', reason: 'at most 32000 characters' }])
})

t.test('agent.json that cannot be read', async (t) => {
  t.match(parsePackage(new Map()), { ok: false, faults: [{ file: 'agent.json', path: '', reason: 'missing' }] })
  t.match(faultsOf('{"name": '), [{ file: 'agent.json', path: '', reason: 'is not JSON' }])
  t.match(faultsOf('[]'), [{ path: '', reason: 'must be object' }])
  t.match(faultsOf('null'), [{ path: '', reason: 'must be object' }])
  t.match(faultsOf('{"__proto__": {"name": "x"}}'), [{ path: '/__proto__', reason: 'not allowed' }])
  t.match(faultsOf(`{"input": ${'{"not":'.repeat(30_000)}{}${'}'.repeat(30_000)}}`), [
    { reason: 'nested deeper than 40' },
  ])
  t.match(faultsOf(smallest(), { 'agent.json': ' '.repeat(300 * 1024) }), [{ reason: 'more than 262144' }])
  t.ok(
    faultsOf({ ...review(), ...Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, 1])) }).length <= 100,
  )
})

t.test('the smallest package of the documentation works, and every field is described there', async (t) => {
  const text = readFileSync('docs/AGENT_PACKAGES.md', 'utf8')
  const [, example = ''] = /```json\n([^`]*)```/.exec(text) ?? []
  t.equal(packageOf(example, { 'tools/greet.js': 'export default () => ({})' }).manifest.name, 'greeter')
  const words = new Set(text.match(/[A-Za-z_]\w*/g))
  for (const name of fieldsOf(packageSchema)) t.ok(words.has(name), name)
})

function fieldsOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  return Object.entries(schema).flatMap(([key, value]) => {
    const own = key === 'properties' ? Object.keys(value) : []
    return [...own.filter((name) => name !== '$schema'), ...fieldsOf(value)]
  })
}

t.test('3,000 packages with random damage: a verdict every time, never an exception', async (t) => {
  const chance = chanceOf(7)
  const junk = [
    null,
    true,
    0,
    -1,
    1.5,
    '',
    'x',
    '__proto__',
    '{{',
    [],
    [[]],
    {},
    { type: {} },
    { properties: [] },
    ['a', 'a'],
  ]
  let refused = 0
  for (let round = 0; round < 3000; round++) {
    const draft = review()
    for (let times = 1 + chance.below(3); times > 0; times--) damage(draft, chance, junk)
    const result = parsePackage(filesOf(draft))
    if (result.ok) next(result.package, startState(), {}, { kind: 'start', input: { question: 'x' } })
    else refused += 1
    if (!result.ok && result.faults.some(({ file, reason }) => !file || !reason)) t.fail('a fault says nothing')
  }
  t.ok(refused > 2500, `${refused} refused`)
})

/** Replaces, removes or adds something at a random place. */
function damage(draft: Draft, chance: Chance, junk: readonly unknown[]) {
  let at = draft
  for (;;) {
    const keys = Object.keys(at)
    const key = keys.length > 0 ? chance.pick(keys) : 'more'
    const child = at[key]
    if (typeof child === 'object' && child !== null && !chance.once(5)) at = child
    else if (chance.once(4)) return delete at[key]
    else if (chance.once(6)) return Object.assign(at, { [chance.pick(['colour', 'input_keys', 'constructor'])]: 1 })
    else return Object.assign(at, { [key]: structuredClone(chance.pick(junk)) })
  }
}

t.test('a message that never closes its braces is read at once, and spaces inside of them mean nothing', async (t) => {
  const spaces = ' '.repeat(1900)
  for (const message of [`{{nobody}} {{${spaces}${spaces}`, `{{${spaces}nobody${spaces}}}`]) {
    for (let round = 0; round < 10; round += 1) {
      const draft = review()
      draft['graph'].nodes.find((node: { type: string }) => node.type === 'approval').message = message
      t.match(faultsOf(draft), [{ reason: /nobody/ }])
    }
  }
})
