import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { saveServer } from '../../src/features/tools/service.ts'
import { readTemplate } from '../../src/templates/index.ts'
import { seedTenant } from '../support/database.ts'
import { npmServer, testMcp } from '../support/mcp.ts'
import { accepted, judging, mockModel, scoring, set } from '../support/mock-model.ts'
import { workplace } from '../support/work.ts'

// The whole of it: a real worker, and the organization's own library behind a real MCP server (server-memory).

const place = await workplace(t)
const acme = await seedTenant(place.doors, 'acme')
const folder = join(import.meta.dirname, '../../src/templates/deep-research')
const sample = JSON.parse(await readFile(join(folder, 'sample/input.json'), 'utf8'))

const directory = await mkdtemp(join(tmpdir(), 'enginex-library-'))
t.teardown(() => rm(directory, { recursive: true, force: true }))
const library = join(directory, 'library.jsonl')
const note = (name: string, text: string) =>
  JSON.stringify({ type: 'entity', name, entityType: 'note', observations: [text] })
await writeFile(
  library,
  [
    note('Port report 2024', 'The cranes were paid by a green loan of 12 million.'),
    note('Energy ledger', 'Since the electric cranes came, the harbour uses 31 percent less energy.'),
  ].join('\n'),
)
const server = npmServer('memory')
const mcp = testMcp(t, { commands: { notes: { ...server, env: { MEMORY_FILE_PATH: library } } } })

const model = await mockModel(t)
model.on(judging, accepted)
model.on(scoring, JSON.stringify({ sourced: 1 }))
const planning = ({ system }: { system: string }) => system.includes('You plan the research')
const searching = ({ system }: { system: string }) => system.includes('You research one part')
model.on(planning, [set('parts', ['How were the cranes paid?', 'Is energy saved?', 'Who painted them?'])])
const finding = (statement: string, source: string) => [set('findings', [{ statement, source }])]
model.on(
  (asked) => searching(asked) && asked.text.includes('green loan'),
  finding('A green loan paid.', 'Port report 2024'),
)
model.on(
  (asked) => searching(asked) && asked.text.includes('31 percent'),
  finding('A third is saved.', 'Energy ledger'),
)
model.on((asked) => searching(asked) && /"entities":\s*\[\]/.test(asked.text), [set('findings', [])])
model.on((asked) => searching(asked) && asked.text.includes('paid?'), [['library__search_nodes', { query: 'loan' }]])
model.on(
  (asked) => searching(asked) && asked.text.includes('energy saved'),
  [['library__search_nodes', { query: 'percent' }]],
)
model.on(searching, [['library__search_nodes', { query: 'painter' }]])
model.on(() => true, [set('answer', 'A green loan paid for them [1]; a third of the energy is saved [2].')])

const { host } = new URL(model.url)
const work = { mcp, model: { baseUrl: model.url, name: 'mock', apiKey: 'unused', allow: [host] } }

t.test('parts are researched side by side in the library; the answer names its sources', async (t) => {
  await place.work(t, work)
  await place.deploy(acme, 'deep-research', await readTemplate('deep-research'))
  const given = { transport: 'stdio' as const, command: 'notes', allowedTools: ['search_nodes', 'open_nodes'] }
  await saveServer(mcp, place.as(acme, 'builder', 'tools:write'), 'library', given)
  const { runId, sessionId } = await place.begin(acme, 'deep-research', sample)
  await place.arrives(runId, 'waiting', 30_000)
  const [approval] = await place.rowsOf('approvals', runId)
  const payload = approval?.['payload'] as { message: string; evidence: { key: string; value: unknown }[] }
  t.match(payload.message, /Parts without findings: 1\./)
  t.match(payload.evidence.find(({ key }) => key === 'sources')?.value, [
    { number: 1, source: 'Port report 2024' },
    { number: 2, source: 'Energy ledger' },
  ])
  await place.answer(acme, runId, 'approve')
  t.match(await place.arrives(runId, 'completed'), { score: 0.5 })
  t.match(await place.rowsOf('reports', runId), [{ title: /^Research: How did the harbour/ }])
  const text = "select data ->> 'tool' as tool from session_events where session_id = $1 and type = 'tool_call_started'"
  const { rows } = await place.admin.query<{ tool: string }>(text, [sessionId])
  const count = (tool: string) => rows.filter((row) => row.tool === tool).length
  t.equal(count('library__search_nodes'), 3)
  t.equal(count('write_report'), 1)
})

t.test('without its library a session does not begin, and says what is missing', async (t) => {
  const beta = await seedTenant(place.doors, 'beta')
  await place.deploy(beta, 'deep-research', await readTemplate('deep-research'))
  await t.rejects(place.begin(beta, 'deep-research', sample), { message: /library/ })
})
