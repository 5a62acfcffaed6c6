import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t, { type Test } from 'tap'

/** Lowest first. An import stays on its floor or goes down. */
const floors = [
  ['config.ts', 'errors.ts'],
  ['db', 'identity', 'providers'],
  ['tenancy'],
  ['engine', 'templates'],
  ['features'],
  ['api', 'worker', 'cli', 'local', 'console'],
]

/** Words that have one home. */
const homes: [RegExp, RegExp, string][] = [
  [/process\.env/, /^config\.ts$/, 'the environment is read in one place'],
  [/set_config|current_setting|app\.tenant_id/, /^$/, 'the tenant is set by the database alone'],
  [/select app\.enter/, /^db\/(scope|statement)\.ts$/, 'entries stand in front of statements'],
  [/from 'pg(-\w+)?(\/[^']*)?'/, /^db\//, 'PostgreSQL is spoken to on floor 1'],
  [/from '(@fastify\/[^']+|fastify)'/, /^api\//, 'HTTP stays in the API'],
  [/\.door\(/, /^db\//, 'what looks across tenants is a method of Doors'],
  [/TenantContext\.open\(/, /^(api\/mount|tenancy\/context)\.ts$/, 'the API opens a context once per request'],
  [/TenantContext\.openTrigger\(/, /^(worker\/|api\/hooks\.ts$)/, 'a trigger fires for its time or a signed message'],
  [/TenantContext\.openRun\(/, /^worker\//, 'the worker opens one for the run that it holds'],
  [/TenantContext\.openSystem\(/, /^worker\//, "the platform's jobs run in workers"],
  [/\bsql\.(raw|table|ref|id|lit)\((?!\d+\))/, /^db\//, 'no text becomes SQL'],
  [/(?<!columns\(\[')\btenant_id\b/, /^db\//, 'no repository names the tenant'],
  [/quickjs-(emscripten|wasmfile)/, /^providers\//, 'foreign code runs in the sandbox'],
  [/\beval\(|new Function\(|node:vm/, /^$/, 'text never becomes code in this process'],
  [/dangerouslySetInnerHTML|\.innerHTML/, /^$/, 'text never becomes HTML'],
  [/@keycloak\/keycloak-admin-client/, /^identity\//, 'one place holds the admin secret'],
  [/from 'undici'/, /^providers\//, 'outgoing requests pass the guard'],
  [
    /Date\.now\(\)|new Date\(\)|Math\.random|randomUUID|performance\.now/,
    /^(?!engine\/)/,
    'the machine has no clock and no chance',
  ],
  [/from 'node:/, /^(?!engine\/)/, 'the machine does no I/O'],
]

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.tsx?$/.test(file) && !file.endsWith('.d.ts') && file !== 'db/generated.ts')
  .sort()
const source = new Map(files.map((file) => [file, readFileSync(join('src', file), 'utf8')]))
const features = [...source.get('features/index.ts')!.matchAll(/^ {4}(\w+)Routes\b/gm)].map((match) => match[1]!)

function floorOf(file: string): number {
  return floors.findIndex((floor) => floor.some((name) => file === name || file.startsWith(`${name}/`)))
}

/** The feature that a file belongs to, as its place in the ordered list; the files above them all have none. */
function featureOf(file: string): number | undefined {
  const folder = /^features\/([^/]+)\//.exec(file)?.[1]
  return folder === undefined ? undefined : features.findIndex((name) => `${name}s` === folder || name === folder)
}

interface Import {
  readonly target: string
  readonly typesOnly: boolean
}

function importsOf(file: string, text: string): Import[] {
  const found = [...text.matchAll(/^(?:import|export)( type)?\b[^'"]*?from '(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm)]
  return found.map(([, type, specifier, dynamic]) => ({
    target: normalize(join(dirname(file), specifier ?? dynamic ?? '')),
    typesOnly: type !== undefined,
  }))
}

for (const [file, text] of source) {
  t.test(file, async (t) => {
    t.not(floorOf(file), -1, 'stands on a floor')
    for (const { target, typesOnly } of importsOf(file, text)) {
      t.ok(floorOf(target) <= floorOf(file), `${target} is not above`)
      if (file.startsWith('console/') && !target.startsWith('console/')) {
        t.ok(
          typesOnly && /^features\/([\w-]+\/)?schema\.ts$/.test(target),
          `the console takes types only, of schemas: ${target}`,
        )
      }
      if (file.startsWith('engine/')) t.ok(/^(engine\/|errors\.ts)/.test(target), `the engine knows nobody: ${target}`)
      checkFeatures(t, file, target)
    }
    for (const [word, home, why] of homes) if (!home.test(file)) t.notMatch(text, word, why)
    t.notMatch(text, /\bTODO\b|\bFIXME\b|@ts-ignore|@ts-nocheck/, 'nothing is left for later')
  })
}

/** routes -> service -> repository; of another feature only an earlier one, and only its service or schema. */
function checkFeatures(t: Test, file: string, target: string): void {
  const [from, to] = [featureOf(file), featureOf(target)]
  if (from === undefined || to === undefined) return
  t.not(from, -1, `${file} belongs to a listed feature`)
  const part = target.split('/').at(-1)!
  if (from !== to) {
    t.ok(to < from, `${target} belongs to an earlier feature`)
    t.match(part, /^(service|schema)\.ts$/, `${target} is what a feature shows to others`)
  } else if (file.endsWith('/repository.ts')) {
    t.notMatch(part, /^(service|routes)\.ts$/, `${target} is not above the repository`)
  } else if (!file.endsWith('/routes.ts')) {
    t.not(part, 'routes.ts', `${target} is not above ${file}`)
  } else {
    t.not(part, 'repository.ts', 'a route asks its service')
  }
}

t.test('tests wait on conditions, and none is skipped', async (t) => {
  for (const file of readdirSync('test', { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.test.ts') || file === 'architecture.test.ts') continue
    const text = readFileSync(join('test', file), 'utf8')
    t.notMatch(text, /\bskip: |\.skip\(|\btodo: |\.only\(/, `${file} skips nothing`)
    t.notMatch(text, /(?<!\bt\.)setTimeout\(|timers\/promises/, `${file} does not sleep`)
  }
})
