import { tenantRoute } from '../../tenancy/route.ts'
import { MemberList, MemberQuery } from './schema.ts'
import { listMembers } from './service.ts'

export const memberRoutes = [
  tenantRoute({
    method: 'GET',
    path: '/members',
    permission: 'members:read',
    summary: 'List the members of this organization, newest first',
    schema: { query: MemberQuery, response: MemberList },
    handler: (tenant, { query }) => listMembers(tenant, query),
  }),
]
