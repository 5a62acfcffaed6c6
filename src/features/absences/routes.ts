import { tenantRoute } from '../../tenancy/route.ts'
import { Delegation, DelegationPut } from './schema.ts'
import { deleteDelegation, getDelegation, putDelegation } from './service.ts'

export const absencesRoutes = [
  tenantRoute({
    method: 'GET',
    path: '/members/me/delegation',
    permission: 'approvals:read',
    summary: 'Get who decides approvals in your place, and when',
    schema: { response: Delegation },
    handler: (tenant) => getDelegation(tenant),
  }),
  tenantRoute({
    method: 'PUT',
    path: '/members/me/delegation',
    permission: 'approvals:write',
    summary: 'Let somebody decide approvals in your place while you are away',
    schema: { body: DelegationPut, response: Delegation },
    handler: (tenant, { body }) => putDelegation(tenant, body),
  }),
  tenantRoute({
    method: 'DELETE',
    path: '/members/me/delegation',
    permission: 'approvals:write',
    summary: 'Decide for yourself again',
    schema: { response: Delegation },
    handler: (tenant) => deleteDelegation(tenant),
  }),
]
