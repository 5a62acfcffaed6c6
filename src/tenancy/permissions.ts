/** Everything that a role can be allowed to do. Write implies read. */
export const permissions = [
  'members:read',
  'agents:read',
  'agents:write',
  'runs:read',
  'runs:write',
  'approvals:read',
  'approvals:write',
  'reports:read',
  'audit:read',
] as const

export type Permission = (typeof permissions)[number]

const everyone = ['agents:read', 'runs:read', 'approvals:read', 'reports:read'] as const

/** What each role may do. The only place that knows: app.role_permissions is written from it by every migration run. */
export const permissionsOf = {
  'tenant-admin': [...everyone, 'members:read', 'agents:write', 'runs:write', 'approvals:write', 'audit:read'],
  builder: [...everyone, 'agents:write', 'runs:write'],
  operator: [...everyone, 'runs:write', 'approvals:write'],
  auditor: [...everyone, 'members:read', 'audit:read'],
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
