import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readMcpCommands } from '../../src/providers/mcp-commands.ts'

const folder = mkdtempSync(join(tmpdir(), 'enginex-mcp-test-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'programs.json')

function read(text: string) {
  writeFileSync(file, text)
  return readMcpCommands(file)
}

t.test('the operator names programs, with what they are called with', async (t) => {
  t.same(readMcpCommands(undefined), {})
  t.same(read('{}'), {})
  const memory = { command: 'node', args: ['x.js'], env: { A: '{tenant}' } }
  t.same(read(JSON.stringify({ memory, plain: { command: 'plain' } })), {
    memory,
    plain: { command: 'plain', args: [], env: {} },
  })
})

const wrong: Record<string, [string, RegExp]> = {
  'no list': ['[]', /must be an object/],
  'a name that is none': ['{"A b":{"command":"x"}}', /"A b" is not/],
  'no command': ['{"a":{}}', /a needs a command/],
  'a shell line': ['{"a":"node x.js"}', /a needs a command/],
  'arguments that are no texts': ['{"a":{"command":"x","args":[1]}}', /args must be/],
  'an environment that is none': ['{"a":{"command":"x","env":{"B":1}}}', /env must be/],
  'something unknown': ['{"a":{"command":"x","cwd":"/"}}', /cwd is not known/],
  'no JSON': ['{', /JSON/],
}

for (const [what, [text, says]] of Object.entries(wrong)) {
  t.test(`not taken: ${what}`, async (t) => {
    t.throws(() => read(text), says)
  })
}

t.test('a file that is not there', async (t) => {
  t.throws(() => readMcpCommands(join(folder, 'none.json')), /ENOENT/)
})
