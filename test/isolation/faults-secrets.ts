import { type Fault, fault } from './fault.ts'

const vault = 'test/providers/vault.test.ts'
const credentials = 'test/features/credentials.test.ts'
const models = 'test/providers/model.test.ts'
const calls = 'test/features/model-calls.test.ts'

/** Keys, credentials, and the models that are asked with them. */
export const secretFaults: readonly Fault[] = [
  fault('a secret opens as any other of its tenant', vault, /another purpose, another version/, [
    'src/providers/envelope.ts',
    'return Buffer.concat([head, Buffer.from(about)])',
    'return about ? head : head',
  ]),
  fault("a tenant's key serves in another's place", vault, /in the place of another's/, [
    'src/providers/key-store.ts',
    'function about(tenantId: string): string {',
    "function about(tenantId: string): string {\n  if (tenantId) return ''",
  ]),
  fault('a key-encryption key that was lost is made anew', vault, /a lost or another key-encryption key/, [
    'src/providers/key-store.ts',
    'if (isFresh) await writeOnce',
    'if (isFresh || !isFresh) await writeOnce',
  ]),
  fault(
    'processes that make a key at once each keep their own',
    vault,
    /at once agree on them/,
    ['src/providers/key-store.ts', 'await link(beside, path)', 'await rename(beside, path)'],
    ['src/providers/key-store.ts', 'import { link, mkdir, open, ', 'import { rename, mkdir, open, '],
  ),
  fault('the key store may be read by others', vault, /belongs to its user alone/, [
    'src/providers/key-store.ts',
    'if ((mode & 0o077) !== 0)',
    'if (mode < 0)',
  ]),
  fault('what was sealed before a replacement still opens', credentials, /a replacement is a new version/, [
    'src/features/credentials/service.ts',
    'function aboutOf(name: string, version: number): string {',
    'function aboutOf(name: string, version: number): string {\n  if (version) return name',
  ]),
  fault("another tenant's credential is found", credentials, /another organization's credential/, [
    'sql/migrations/0011_models.sql',
    "select app.protect('app.credentials', 'select, delete');",
    "select app.protect('app.credentials', 'select, delete'); create policy open on app.credentials using (true);",
  ]),
  fault('a credential that has expired is used', credentials, /what has expired/, [
    'src/features/credentials/service.ts',
    'if (row.expired)',
    'if (!row)',
  ]),
  fault('a key goes to a host that it is not for', calls, /for a host that it is not for/, [
    'src/features/models/choice.ts',
    'if (!isAllowedHost(url, allowedHosts)) {',
    'if (!url) {',
  ]),
  fault('a key goes out in plain http', 'test/providers/hosts.test.ts', /goes where it may/, [
    'src/providers/hosts.ts',
    "return protocol === 'https:' && (",
    'return (',
  ]),
  fault('a key follows a redirect', models, /a redirect is not followed/, [
    'src/providers/model.ts',
    "redirect: 'manual'",
    "redirect: 'follow'",
  ]),
  fault("the operator's environment serves a tenant's model", models, /the key goes where its provider/, [
    'src/providers/model-client.ts',
    "const { provider, baseUrl, apiKey = '', model } = request",
    'const { provider, baseUrl, apiKey, model } = request as any',
  ]),
  fault('a server that repeats the key is believed', models, /a server that repeats the key/, [
    'src/providers/model.ts',
    'createKeyMask(request.apiKey)',
    'createKeyMask()',
  ]),
  fault('each worker keeps its own count of calls', 'test/features/model-durable.test.ts', /no faster than its rate/, [
    'sql/migrations/0011_models.sql',
    'where r.tenant_id = app.tenant_id() for update;',
    'where r.tenant_id = app.tenant_id();',
  ]),
  fault(
    'settings are replaced without a look at their address',
    'test/features/models.test.ts',
    /settings that cannot work/,
    [
      'src/features/models/service.ts',
      'if (change.base_url !== null) await servers.check(change.base_url)',
      'if (change.base_url === null) await servers.check(change.model)',
    ],
  ),
]
