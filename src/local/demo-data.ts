/** The four roles and the organization groups that give them; keycloak-admin.ts makes the same ones. */
const groups = {
  'tenant-admin': 'tenant-admins',
  builder: 'builders',
  operator: 'operators',
  auditor: 'auditors',
} as const

export type DemoRole = keyof typeof groups

export interface DemoOrganization {
  readonly id: string
  readonly alias: string
  readonly name: string
  readonly domain: string
  readonly groups: readonly { readonly id: string; readonly name: string; readonly role: DemoRole }[]
}

export interface DemoPerson {
  readonly id: string
  readonly email: string
  readonly firstName: string
  readonly lastName: string
  /** Roles by alias of an organization. */
  readonly memberships: Readonly<Record<string, DemoRole>>
  readonly platformAdmin?: true
}

export interface DemoData {
  readonly password: string
  readonly organizations: readonly DemoOrganization[]
  readonly people: readonly DemoPerson[]
}

/** Signs every demo person in. In the open on purpose: it exists only where the demo data does. */
export const demoPassword = 'Welcome-to-EngineX-1'

/** Ids are fixed, so that a new realm fits the rows an older database holds. */
export const acme = organization('ac3e0000', 'acme', 'Acme Corporation')
export const beta = organization('be7a0000', 'beta', 'Beta Industries')

const people: readonly DemoPerson[] = [
  ...staff(acme, ['Ada', 'Bruno', 'Olga', 'Oscar', 'Anna']),
  ...staff(beta, ['Aldo', 'Berta', 'Otto', 'Odette', 'Axel']),
  person('00000000-0000-4000-8000-000000000b07', 'both@partner.test', 'Bea', 'Both', {
    acme: 'operator',
    beta: 'builder',
  }),
  {
    ...person('00000000-0000-4000-8000-000000000add', 'platform@enginex.test', 'Pia', 'Platform', {}),
    platformAdmin: true,
  },
]

/** What a demonstration holds: two organizations, people in every role, one in both, one platform admin. */
export const demoData: DemoData = { password: demoPassword, organizations: [acme, beta], people }

/** The same with somebody who belongs nowhere. For tests. */
export const testData: DemoData = {
  ...demoData,
  people: [...people, person('00000000-0000-4000-8000-000000000bad', 'stranger@nowhere.test', 'Stan', 'Stranger', {})],
}

function organization(prefix: string, alias: string, name: string): DemoOrganization {
  const groupOf = ([role, group]: [string, string], index: number) => ({
    id: `${prefix}-0000-4000-8000-0000000000f${index + 1}`,
    name: group,
    role: role as DemoRole,
  })
  return {
    id: `${prefix}-0000-4000-8000-000000000000`,
    alias,
    name,
    domain: `${alias}.test`,
    groups: Object.entries(groups).map(groupOf),
  }
}

function staff({ id, alias, name, domain }: DemoOrganization, firstNames: readonly string[]): DemoPerson[] {
  const posts: [string, DemoRole][] = [
    ['admin', 'tenant-admin'],
    ['builder', 'builder'],
    ['operator', 'operator'],
    ['operator2', 'operator'],
    ['auditor', 'auditor'],
  ]
  const idOf = (index: number) => `${id.slice(0, -2)}a${index + 1}`
  return posts.map(([post, role], index) =>
    person(idOf(index), `${post}@${domain}`, firstNames[index]!, name.split(' ')[0]!, { [alias]: role }),
  )
}

function person(
  id: string,
  email: string,
  firstName: string,
  lastName: string,
  memberships: DemoPerson['memberships'],
): DemoPerson {
  return { id, email, firstName, lastName, memberships }
}
