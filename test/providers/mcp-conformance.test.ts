import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import t from 'tap'

// Scenarios of @modelcontextprotocol/conformance for clients. Those that do not apply, and why: decision 0015.
const program = resolve('node_modules/@modelcontextprotocol/conformance/dist/index.js')
const client = `${process.execPath} ${resolve('test/support/mcp-conformance-client.ts')}`
const output = await mkdtemp(join(tmpdir(), 'enginex-conformance-'))
t.teardown(() => rm(output, { recursive: true, force: true }))

/** What must be found of each; further checks may not fail either. */
const applies: Readonly<Record<string, readonly string[]>> = {
  initialize: ['mcp-client-initialization'],
  tools_call: ['tool-add-numbers'],
  'sse-retry': ['client-sse-graceful-reconnect', 'client-sse-last-event-id'],
}
/** Its time is measured while other tests run, so it may come late; never early. */
const timed = 'client-sse-retry-timing'

interface Check {
  readonly id: string
  readonly status: string
  readonly details?: { readonly tooEarly?: boolean }
}

function conformance(...args: string[]): Promise<string> {
  return new Promise((done) => {
    execFile(process.execPath, [program, ...args], { timeout: 60_000 }, (_, stdout, stderr) => done(stdout + stderr))
  })
}

for (const [scenario, wanted] of Object.entries(applies)) {
  t.test(scenario, async (t) => {
    const told = await conformance('client', '--command', client, '--scenario', scenario, '--output-dir', output)
    const folder = (await readdir(output)).find((name) => name.startsWith(scenario))
    t.ok(folder, told)
    const checks: Check[] = JSON.parse(await readFile(join(output, folder!, 'checks.json'), 'utf8'))
    for (const id of wanted) t.equal(checks.find((check) => check.id === id)?.status, 'SUCCESS', id)
    const failed = checks.filter(({ id, status }) => status === 'FAILURE' && id !== timed)
    t.same(failed, [])
    if (scenario === 'sse-retry') t.equal(checks.find(({ id }) => id === timed)?.details?.tooEarly, false)
  })
}

t.test(
  'every other scenario is about questions to people or OAuth, which this client refuses or does not offer',
  async (t) => {
    const listed = [...(await conformance('list', '--client')).matchAll(/^ {2}- (\S+)/gm)].map(([, name]) => name!)
    const others = listed.filter((name) => !Object.hasOwn(applies, name))
    t.equal(others.length, listed.length - Object.keys(applies).length)
    t.same(
      others.filter((name) => !name.startsWith('auth/')),
      ['elicitation-sep1034-client-defaults'],
    )
  },
)
