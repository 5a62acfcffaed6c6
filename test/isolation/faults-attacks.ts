import { type Fault, fault } from './fault.ts'

const flood = 'test/isolation/flood.test.ts'
const heavy = 'test/isolation/heavy.test.ts'

/** What keeps one organization from forging, outliving its rights, or taking what all share. */
export const attackFaults: readonly Fault[] = [
  fault('inputs that nobody declared', 'test/isolation/forgery.test.ts', /an input cannot bring the decision/, [
    'src/features/sessions/input.ts',
    '.filter(([name]) => !declared.has(name))',
    '.filter(() => false)',
  ]),
  fault('any version may be started', 'test/features/agents.test.ts', /a version that was replaced/, [
    'src/features/sessions/service.ts',
    "  if (!start.active) await tenant.as('runs:write', 'agents:write').prove()\n  await checkStart(",
    '  await checkStart(',
  ]),
  fault('a sign-out ends nothing outside of tenants', 'test/isolation/signed-out.test.ts', /of a platform admin/, [
    'src/api/admission.ts',
    'if (await this.#options.doors.isFresh(userId, new Date(issuedAt * 1000))) return',
    'if (userId && issuedAt) return',
  ]),
  fault(
    'an upload is taken in before the database is asked',
    'test/isolation/upload.test.ts',
    /neither read nor stored/,
    ['src/api/mount.ts', '    await request.tenant!.prove()\n', ''],
  ),
  fault('one organization takes every connection', flood, /that wait for a lock/, [
    'src/db/database.ts',
    'Math.ceil(this.#pool.options.max / 2)',
    'this.#pool.options.max',
  ]),
  fault('one organization takes every place', flood, /more requests at once than a fair share/, [
    'src/api/shares.ts',
    'if (before >= most[kind])',
    'if (before > 1e9)',
  ]),
  fault("one organization's tools take every thread", flood, /tools that never end/, [
    'src/providers/sandbox-threads.ts',
    'Math.max(count - 1, 1)',
    'count',
  ]),
  fault('a package makes a transition endless', heavy, /fails a thousand times/, [
    'src/engine/work.ts',
    'const maxWork = 400_000_000',
    'const maxWork = 1e18',
  ]),
  fault('an item of a list stands for a decision', 'test/engine/package.test.ts', /every kind of fault, at its place/, [
    'src/engine/helpers.ts',
    'if (reserved(manifest).has(node.itemKey))',
    'if (memoryKeys(manifest).size < 0)',
  ]),
  fault('a model overrules a rejection', 'test/engine/choices.test.ts', /never overrules a failure or a rejection/, [
    'src/engine/leave.ts',
    "if (edge.condition === 'on_success' || edge.condition === 'llm_decide') return !error",
    "if (edge.condition === 'on_success' || edge.condition === 'llm_decide') return !error || error.code === 'rejected'",
  ]),
  fault('what a dropped branch had asked for is done all the same', 'test/engine/random.test.ts', /random graphs/, [
    'src/engine/walk.ts',
    'walk.effects.filter(({ call }) => calls.has(call))',
    'walk.effects.slice()',
  ]),
  fault('a schema and an input of any size', heavy, /wrong in every part/, [
    'src/providers/json-schema.ts',
    'const work = { thorough: 200_000, most: 20_000_000 }',
    'const work = { thorough: 200_000, most: 1e15 }',
  ]),
  fault('a run remembers without end', 'test/isolation/memory.test.ts', /millions of nothings/, [
    'src/features/runs/size.ts',
    'return json.length + perValue * values',
    'return json.length + 0 * values',
  ]),
  fault('the author of a row is whoever the query says', 'test/isolation/columns.test.ts', /the author of an agent/, [
    'sql/migrations/0008_columns.sql',
    "('agents', 'insert', 'name'),",
    "('agents', 'insert', 'name, created_by'),",
  ]),
]
