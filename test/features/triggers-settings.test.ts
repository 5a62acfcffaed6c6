import t from 'tap'
import type { Manifest } from '../../src/engine/schema.ts'
import { settingsOf, suggestedBy } from '../../src/features/triggers/settings.ts'

// What a trigger is when little is said of it: by its kind, and by what the package suggests for its entry point.
const entry = { entryNode: 'work', triggerType: 'timer' } as const
const manifest = {
  graph: {
    asyncEntryPoints: [
      { ...entry, id: 'often', triggerConfig: { intervalMinutes: 5, runImmediately: true }, maxConcurrent: 3 },
      { ...entry, id: 'nightly', triggerConfig: { cron: '0 2 * * *' } },
      { ...entry, id: 'plain' },
    ],
  },
} as unknown as Manifest

t.test('what the package suggests', async (t) => {
  t.same(suggestedBy(manifest, 'timer', 'often'), {
    maxConcurrent: 3,
    schedule: { everyMinutes: 5 },
    runImmediately: true,
  })
  t.same(suggestedBy(manifest, 'timer', 'nightly'), { schedule: { cron: '0 2 * * *', timeZone: 'UTC' } })
  t.same(suggestedBy(manifest, 'webhook', 'often'), { maxConcurrent: 3 }, 'a schedule is for timers')
  for (const name of ['plain', 'nowhere', null, undefined]) t.same(suggestedBy(manifest, 'timer', name), {})
  t.same(suggestedBy({ graph: {} } as Manifest, 'timer', 'often'), {}, 'a package without any')
})

t.test('what is said goes before what is there, and that before the defaults of the kind', async (t) => {
  const schedule = { everyMinutes: 60 }
  const timer = settingsOf('timer', { name: 'a', schedule }, null)
  t.match(timer, {
    misfire: 'fire_once',
    max_concurrent: 1,
    payload_key: null,
    jitter_seconds: 0,
    run_immediately: false,
  })
  t.match(settingsOf('webhook', { name: 'a' }, null), { max_concurrent: 100, payload_key: 'payload', schedule: null })
  const changed = settingsOf('timer', { misfire: 'skip', entryPoint: 'often' }, timer)
  t.same(changed, { ...timer, misfire: 'skip', entry_point: 'often' })
  t.equal(settingsOf('timer', { entryPoint: null }, changed).entry_point, null, 'back to the entry node')
})
