const names: Readonly<Record<string, string>> = {
  'tenant-admin': 'Administrator',
  builder: 'Builder',
  operator: 'Operator',
  auditor: 'Auditor',
}

/** Roles as people call them. */
export function roleNames(roles: readonly string[]): string {
  return roles.map((role) => names[role] ?? role).join(', ') || 'No role'
}
