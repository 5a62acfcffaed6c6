import { type Static, Type } from 'typebox'
import { Id, Name, Nullable, Page, PageQuery, Strict, Time } from '../schema.ts'

export const OrganizationStatus = Type.Union([Type.Literal('active'), Type.Literal('suspended')])

/** What the platform knows of an organization: that it exists, never what it holds. */
export const Organization = Type.Object({
  id: Id,
  alias: Name,
  name: Type.String(),
  status: OrganizationStatus,
  region: Type.String(),
  createdAt: Time,
})
export type Organization = Static<typeof Organization>

export const OrganizationCreate = Strict({
  alias: Name,
  name: Type.String({ minLength: 1, maxLength: 100 }),
  adminEmail: Type.String({ format: 'email', maxLength: 254 }),
})
export type OrganizationCreate = Static<typeof OrganizationCreate>

/** `oneTimePassword` is shown once, and only when the first admin's account was made by this call. */
export const OrganizationCreated = Type.Object({
  organization: Organization,
  admin: Type.Object({ email: Type.String(), created: Type.Boolean(), oneTimePassword: Nullable(Type.String()) }),
})
export type OrganizationCreated = Static<typeof OrganizationCreated>

export const OrganizationList = Page(Organization)
export const OrganizationQuery = Strict(PageQuery)
export const OrganizationPath = Strict({ organizationId: Id })

export const OwnOrganization = Type.Object({
  id: Id,
  alias: Name,
  name: Type.String(),
  roles: Type.Array(Type.String()),
  permissions: Type.Array(Type.String(), { description: 'What these roles allow; the database has the last word.' }),
})
export const OwnOrganizationList = Type.Object({ items: Type.Array(OwnOrganization) })
export type OwnOrganization = Static<typeof OwnOrganization>

export const Profile = Type.Object({
  id: Id,
  email: Nullable(Type.String()),
  name: Nullable(Type.String()),
  platformAdmin: Type.Boolean(),
})
export type Profile = Static<typeof Profile>
export const SignedOut = Type.Object({ signedOutAt: Time })
