import { tenantRoute } from '../../tenancy/route.ts'
import type { Services } from '../services.ts'
import { Credential, CredentialList, CredentialPath, CredentialPut, CredentialQuery } from './schema.ts'
import { deleteCredential, getCredential, listCredentials, putCredential } from './service.ts'

export function credentialRoutes({ vault }: Services) {
  return [
    tenantRoute({
      method: 'GET',
      path: '/credentials',
      permission: 'credentials:read',
      summary: 'List credentials, newest first; their secrets are never read back',
      schema: { query: CredentialQuery, response: CredentialList },
      handler: (tenant, { query }) => listCredentials(tenant, query),
    }),
    tenantRoute({
      method: 'GET',
      path: '/credentials/:name',
      permission: 'credentials:read',
      summary: 'Get what is known of a credential',
      schema: { params: CredentialPath, response: Credential },
      handler: (tenant, { params }) => getCredential(tenant, params.name),
    }),
    tenantRoute({
      method: 'PUT',
      path: '/credentials/:name',
      permission: 'credentials:write',
      summary: 'Store a credential, in place of the one of that name',
      schema: { params: CredentialPath, body: CredentialPut, response: Credential },
      handler: (tenant, { params, body }) => putCredential(vault, tenant, params.name, body),
    }),
    tenantRoute({
      method: 'DELETE',
      path: '/credentials/:name',
      permission: 'credentials:write',
      summary: 'Delete a credential; the answer is what was deleted',
      schema: { params: CredentialPath, response: Credential },
      handler: (tenant, { params }) => deleteCredential(tenant, params.name),
    }),
  ]
}
