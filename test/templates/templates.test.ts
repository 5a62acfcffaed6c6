import t from 'tap'
import { parsePackage } from '../../src/engine/package.ts'
import { listTemplates, readTemplate } from '../../src/templates/index.ts'

t.test('the catalog says which templates need a model', async (t) => {
  const templates = await listTemplates()
  t.match(templates, [
    { name: 'hourly-tracking', version: '1.0.0', needsModel: false },
    { name: 'invoice-review', version: '1.0.0', needsModel: true },
  ])
  t.ok(templates.every((template) => template.description.length > 50))
})

for (const name of ['hourly-tracking', 'invoice-review']) {
  t.test(`${name} is a package without a fault, and carries no sample`, async (t) => {
    const files = await readTemplate(name)
    const parsed = parsePackage(files)
    t.same(parsed.ok ? [] : parsed.faults, [])
    t.ok(files.has('agent.json'))
    t.notOk([...files.keys()].some((path) => path.startsWith('sample') || path.includes('..') || path.startsWith('/')))
    t.same([...(await readTemplate(name)).keys()], [...files.keys()], 'the same order each time')
  })
}

t.test('no other name reads anything', async (t) => {
  for (const name of ['unknown', '', '.', '..', '../engine', 'index.ts', 'hourly-tracking/tools']) {
    await t.rejects(readTemplate(name), { code: 'not_found' }, name)
  }
})
