import t from 'tap'
import { parsePackage } from '../../src/engine/package.ts'
import { listTemplates, readTemplate } from '../../src/templates/index.ts'

t.test('the catalog says which templates need a model', async (t) => {
  const templates = await listTemplates()
  t.same(
    templates.map(({ name, needsModel }) => `${name}${needsModel ? ' (model)' : ''}`),
    [
      'agreement-analysis (model)',
      'deep-research (model)',
      'hourly-tracking',
      'invoice-review (model)',
      'log-monitor (model)',
      'supervisor (model)',
      'support-triage (model)',
    ],
  )
  t.ok(templates.every((template) => template.description.length > 50))
})

for (const { name } of await listTemplates()) {
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
