import { readFileSync } from 'node:fs'
import type { DemoData, DemoPerson } from './demo-data.ts'

const template = new URL('../../keycloak/realm.json', import.meta.url)

export interface RealmOptions {
  /** Addresses that serve the console, such as http://127.0.0.1:8787. */
  readonly consoleOrigins: readonly string[]
  readonly adminClientSecret: string
  readonly demo?: DemoData
  /** The secret of enginex-demo, the service account that sets the demonstration up over the API. */
  readonly demoClientSecret?: string
  /** Adds enginex-test, which signs people in by password without a browser. Never in a realm that matters. */
  readonly testClient?: boolean
}

interface ClientImport {
  readonly clientId: string
  readonly attributes?: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

interface ScopeMapping {
  readonly client: string
  readonly roles: readonly string[]
}

interface RealmTemplate {
  readonly realm: string
  readonly clients: readonly ClientImport[]
  readonly users: readonly object[]
  readonly organizations: readonly object[]
  readonly scopeMappings: readonly ScopeMapping[]
  readonly clientScopeMappings: Readonly<Record<string, readonly ScopeMapping[]>>
  readonly [field: string]: unknown
}

/** The realm to import: keycloak/realm.json with the addresses, the secret, and what demonstrations and tests add. */
export function realmImport(options: RealmOptions): RealmTemplate {
  const realm = JSON.parse(readFileSync(template, 'utf8')) as RealmTemplate
  const { demo, demoClientSecret, testClient } = options
  const console = consoleSettings(options.consoleOrigins)
  const clients = realm.clients.map((client) => {
    if (client.clientId === 'enginex-console')
      return { ...client, ...console, attributes: { ...client.attributes, ...console.attributes } }
    return client.clientId === 'enginex-admin' ? { ...client, secret: options.adminClientSecret } : client
  })
  const like = clients.find(({ clientId }) => clientId === 'enginex-cli')!
  const extra: ClientImport[] = []
  if (testClient)
    extra.push({ ...like, clientId: 'enginex-test', name: 'Tests', attributes: {}, directAccessGrantsEnabled: true })
  if (demoClientSecret) extra.push({ ...like, ...demoClient(demoClientSecret) })
  return {
    ...realm,
    clients: [...clients, ...extra],
    users: [
      ...realm.users,
      ...(demo ? demo.people.map((person) => user(person, demo.password)) : []),
      ...(demoClientSecret ? [demoUser] : []),
    ],
    organizations: demo ? demo.organizations.map((one) => organization(one, demo, demoClientSecret !== undefined)) : [],
    scopeMappings: withClients(realm.scopeMappings, extra),
    clientScopeMappings: {
      ...realm.clientScopeMappings,
      'enginex-api': withClients(realm.clientScopeMappings['enginex-api']!, extra),
    },
  }
}

function consoleSettings(origins: readonly string[]) {
  return {
    redirectUris: origins.map((origin) => `${origin}/*`),
    webOrigins: origins,
    attributes: { 'post.logout.redirect.uris': origins.map((origin) => `${origin}/*`).join('##') },
  }
}

const demoUser = {
  id: '00000000-0000-4000-8000-0000000005e7',
  username: 'service-account-enginex-demo',
  enabled: true,
  serviceAccountClientId: 'enginex-demo',
  firstName: 'Demo',
  lastName: 'Setup',
  realmRoles: ['platform-admin'],
}

function demoClient(secret: string): ClientImport {
  return {
    clientId: 'enginex-demo',
    name: 'Demonstration set-up',
    publicClient: false,
    secret,
    attributes: {},
    serviceAccountsEnabled: true,
  }
}

/** What one client may put into a token, an added client may as well. */
function withClients(mappings: readonly ScopeMapping[], clients: readonly ClientImport[]): ScopeMapping[] {
  const roles = mappings[0]!.roles
  return [...mappings, ...clients.map(({ clientId }) => ({ client: clientId, roles }))]
}

function user(person: DemoPerson, password: string) {
  return {
    id: person.id,
    username: person.email,
    email: person.email,
    emailVerified: true,
    enabled: true,
    firstName: person.firstName,
    lastName: person.lastName,
    credentials: [{ type: 'password', value: password, temporary: false }],
    realmRoles: ['default-roles-enginex', ...(person.platformAdmin ? ['platform-admin'] : [])],
  }
}

function organization(
  { id, alias, name, domain, groups }: DemoData['organizations'][number],
  demo: DemoData,
  serviceMember: boolean,
) {
  const groupId = (role: string | undefined) => groups.find((group) => group.role === role)?.id
  const members = demo.people.flatMap(({ email, memberships }) => {
    const group = groupId(memberships[alias])
    return group ? [{ username: email, membershipType: 'UNMANAGED', groups: [group] }] : []
  })
  if (serviceMember)
    members.push({ username: demoUser.username, membershipType: 'UNMANAGED', groups: [groupId('builder')!] })
  return {
    id,
    alias,
    name,
    enabled: true,
    domains: [{ name: domain, verified: true }],
    groups: groups.map((group) => ({
      id: group.id,
      name: group.name,
      path: `/${group.name}`,
      clientRoles: { 'enginex-api': [group.role] },
    })),
    members,
  }
}
