/** Everything that a role can be allowed to do. Write implies read. */
export const permissions = [
  'members:read',
  'credentials:read',
  'credentials:write',
  'models:read',
  'models:write',
  'tools:read',
  'tools:write',
  'agents:read',
  'agents:write',
  'runs:read',
  'runs:write',
  'approvals:read',
  'approvals:write',
  'policies:read',
  'policies:write',
  'triggers:read',
  'triggers:write',
  'notifications:read',
  'notifications:write',
  'reports:read',
  'audit:read',
] as const

export type Permission = (typeof permissions)[number]

const everyone = [
  'models:read',
  'tools:read',
  'agents:read',
  'runs:read',
  'approvals:read',
  'policies:read',
  'triggers:read',
  'reports:read',
] as const
const building = ['models:write', 'tools:write', 'agents:write', 'runs:write', 'triggers:write'] as const

/** What each role may do. The only place that knows: app.role_permissions is written from it by every migration run. */
export const permissionsOf = {
  'tenant-admin': [
    ...everyone,
    ...building,
    'members:read',
    'credentials:read',
    'credentials:write',
    'approvals:write',
    'policies:write',
    'notifications:read',
    'notifications:write',
    'audit:read',
  ],
  // Uses credentials by their names, which everybody who builds has to see; nobody reads a secret.
  builder: [...everyone, ...building, 'credentials:read'],
  operator: [...everyone, 'runs:write', 'approvals:write'],
  auditor: [...everyone, 'members:read', 'credentials:read', 'audit:read'],
} as const satisfies Record<string, readonly Permission[]>

export type Role = keyof typeof permissionsOf

export const roles = Object.keys(permissionsOf) as readonly Role[]

/** Whether any of these roles grants the permission; names that are no role grant nothing. */
export function grants(held: readonly string[], permission: Permission): boolean {
  return roles.some(
    (role) => held.includes(role) && (permissionsOf[role] as readonly Permission[]).includes(permission),
  )
}

/** The same knowledge as rows of app.role_permissions: which roles grant each permission. */
export function rolePermissions(): { permission: Permission; roles: Role[] }[] {
  return permissions.map((permission) => ({ permission, roles: roles.filter((role) => grants([role], permission)) }))
}
