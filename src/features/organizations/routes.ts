import { meRoute, platformRoute } from '../../tenancy/route.ts'
import type { Services } from '../services.ts'
import {
  Organization,
  OrganizationCreate,
  OrganizationCreated,
  OrganizationList,
  OrganizationPath,
  OrganizationQuery,
  OwnOrganizationList,
  Profile,
  SignedOut,
} from './schema.ts'
import {
  createOrganization,
  listOrganizations,
  listOwnOrganizations,
  setOrganizationStatus,
  signOutEverywhere,
} from './service.ts'

export function organizationRoutes(services: Services) {
  return [
    meRoute({
      method: 'GET',
      path: '/me',
      summary: 'Who this token belongs to',
      schema: { response: Profile },
      handler: async ({ userId: id, email, name, platformAdmin }) => ({ id, email, name, platformAdmin }),
    }),
    meRoute({
      method: 'GET',
      path: '/me/organizations',
      summary: 'List the organizations that you can work in',
      schema: { response: OwnOrganizationList },
      handler: (person) => listOwnOrganizations(services, person),
    }),
    meRoute({
      method: 'POST',
      path: '/me/sign-out',
      summary: 'Sign out everywhere: every sign-in and every token of yours ends',
      schema: { response: SignedOut },
      handler: (person) => signOutEverywhere(services, person),
    }),
    platformRoute({
      method: 'GET',
      path: '/platform/organizations',
      summary: 'List organizations, newest first',
      schema: { query: OrganizationQuery, response: OrganizationList },
      handler: (_person, { query }) => listOrganizations(services, query),
    }),
    platformRoute({
      method: 'POST',
      path: '/platform/organizations',
      summary: 'Create an organization with its first admin; after a failure, repeat the call',
      status: 201,
      schema: { body: OrganizationCreate, response: OrganizationCreated },
      handler: (person, { body }) => createOrganization(services, person, body),
    }),
    platformRoute({
      method: 'POST',
      path: '/platform/organizations/:organizationId/suspend',
      summary: 'Suspend an organization: its people and runs are refused from now on, nothing is lost',
      schema: { params: OrganizationPath, response: Organization },
      handler: (person, { params }) => setOrganizationStatus(services, person, params.organizationId, 'suspended'),
    }),
    platformRoute({
      method: 'POST',
      path: '/platform/organizations/:organizationId/reactivate',
      summary: 'Let a suspended organization work again',
      schema: { params: OrganizationPath, response: Organization },
      handler: (person, { params }) => setOrganizationStatus(services, person, params.organizationId, 'active'),
    }),
  ]
}
