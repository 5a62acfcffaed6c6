import { type Fault, fault } from './fault.ts'

const pool = 'test/providers/mcp-pool.test.ts'
const hostile = 'test/providers/mcp-hostile.test.ts'
const client = 'test/providers/http-client.test.ts'
const runs = 'test/features/worker-tools.test.ts'
const requests = 'test/features/worker-http.test.ts'
const settings = 'test/features/tools.test.ts'

/** What keeps servers, requests and skills of one organization from another, and from what the operator owns. */
export const toolFaults: readonly Fault[] = [
  fault('a connection is shared between tenants', pool, /has its own|nothing shared/, [
    'src/providers/mcp-pool.ts',
    'JSON.stringify([tenantId, id, version, secrets.fingerprint])',
    "JSON.stringify([tenantId ? '' : '', id, version, secrets.fingerprint])",
  ]),
  fault("a socket serves several tenants' requests", 'test/providers/http.test.ts', /a connection serves one request/, [
    'src/providers/http.ts',
    'keepAlive = false,',
    'keepAlive = true,',
  ]),
  fault("a socket serves several tenants' servers", pool, /nothing shared/, [
    'src/providers/mcp-client.ts',
    'newFetch: (until) => createGuardedFetch({ allow, keepAlive: true, until }),',
    'newFetch: ((one) => () => one)(createGuardedFetch({ allow, keepAlive: true })),',
  ]),
  fault('a connection outlives its configuration', pool, /has its own/, [
    'src/providers/mcp-pool.ts',
    'JSON.stringify([tenantId, id, version, secrets.fingerprint])',
    'JSON.stringify([tenantId, id, secrets.fingerprint])',
  ]),
  fault('a connection outlives its credential', pool, /has its own/, [
    'src/providers/mcp-pool.ts',
    'JSON.stringify([tenantId, id, version, secrets.fingerprint])',
    'JSON.stringify([tenantId, id, version])',
  ]),
  fault('one tenant takes every connection', pool, /connections are few/, [
    'src/providers/mcp-client.ts',
    'perTenant: 8,',
    'perTenant: 48,',
  ]),
  fault('a program inherits the environment', pool, /its own group, folder and environment/, [
    'src/providers/mcp-stdio.ts',
    'env: { PATH: path, HOME: this.#folder, ...env }',
    `env: { ...globalThis.process.env, PATH: path, HOME: this.#folder, ...env }`,
  ]),
  fault('what a program started lives on', pool, /ends, with what it started/, [
    'src/providers/mcp-stdio.ts',
    'process.kill(-group, signal)',
    'process.kill(group, signal)',
  ]),
  fault('an MCP answer of any size', hostile, /an answer of 50 MB/, [
    'src/providers/mcp-connection.ts',
    'if (bytes <= intake.perAnswer && inAll <= intake.inAll)',
    'if (bytes <= 1e12)',
  ]),
  fault('what a server tells unasked is listened to', hostile, /nobody listens to what it tells/, [
    'src/providers/mcp-connection.ts',
    `if (init?.method === 'GET' && !headers.has('last-event-id'))`,
    `if (init?.method === 'GET' && headers.has('no-such-header'))`,
  ]),
  fault(
    'tools of any number',
    hostile,
    /a list of tools without end/,
    ['src/providers/mcp-answers.ts', 'const maxTools = 256', 'const maxTools = 1e9'],
    ['src/providers/mcp-intake.ts', 'tools: 256,', 'tools: 1e9,'],
  ),
  fault('an answer of more values than can be checked', hostile, /by the million/, [
    'src/providers/mcp-intake.ts',
    'values: 20_000,',
    'values: 1e12,',
  ]),
  fault(
    'a name that a server makes up for a tool of another one',
    'test/features/tool-names.test.ts',
    /keeps its name/,
    [
      'src/features/tools/names.ts',
      'const problem = tool.problem ?? taken',
      'const problem = tool.problem ?? (taken ? undefined : taken)',
    ],
  ),
  fault('what a server lists is not masked', 'test/providers/mcp-leaks.test.ts', /repeats a secret/, [
    'src/providers/mcp-client.ts',
    'options)).tools, target.secrets.mask)',
    'options)).tools, (text) => text)',
  ]),
  fault('sockets outlive their connection', 'test/providers/mcp-leaks.test.ts', /keeps its sockets/, [
    'src/providers/http.ts',
    'dispatcher.destroy()',
    'dispatcher',
  ]),
  fault('allowedHosts are ignored', client, /goes to its hosts alone/, [
    'src/providers/secrets.ts',
    'if (!isAllowedHost(url, credential!.allowedHosts))',
    'if (!isAllowedHost(url, [url.host]))',
  ]),
  fault('a redirect takes secrets along', client, /never lost to another place/, [
    'src/providers/http-client.ts',
    'if (url.origin === hop.url.origin) return { ...next, url }',
    'if (url.protocol) return { ...next, url }',
  ]),
  fault('answers are not masked', client, /nothing of them comes back/, [
    'src/providers/mask.ts',
    'return search ? (text) => cover(text, search, false).covered',
    'return !search ? (text) => text',
  ]),
  fault(
    'an answer of any size',
    client,
    /cannot be taken in/,
    ['src/providers/http-answer.ts', '    if (size > maxBytes) throw tooLarge()\n', ''],
    [
      'src/providers/http-answer.ts',
      `if (Number(answer.headers.get('content-length')) > maxBytes)`,
      `if (Number(answer.headers.get('content-length')) > 1e12)`,
    ],
  ),
  fault('a package uses credentials that it does not name', requests, /what goes wrong is readable/, [
    'src/worker/effects/http-tool.ts',
    'names.find((name) => !declared.some((one) => one.name === name))',
    'names.find((name) => !declared.some((one) => one.name === name) && names.length > 9)',
  ]),
  fault('the allow-list of tools is ignored when they are called', runs, /what is not allowed is not called/, [
    'src/worker/effects/mcp-tool.ts',
    'if (!tool?.allowed || tool.problem)',
    'if (!tool || tool.problem)',
  ]),
  fault('the allow-list of tools is ignored when they are shown', runs, /sees allowed tools/, [
    'src/worker/effects/specs.ts',
    'tool.allowed && !tool.problem &&',
    '!tool.problem &&',
  ]),
  fault('a tenant names any program', settings, /never becomes a program/, [
    'src/features/tools/check.ts',
    'if (command === undefined || !mcp.programs.includes(command))',
    'if (command === undefined)',
  ]),
  fault('secrets are stored in the clear', settings, /a secret in the clear/, [
    'src/features/tools/check.ts',
    'if (secretive.test(name) && !hasPlaceholder(value))',
    'if (secretive.test(name) && value.length > 5000)',
  ]),
  fault('an address inside is stored', settings, /an address inside/, [
    'src/features/tools/check.ts',
    '  await mcp.check(text)\n',
    '',
  ]),
]
