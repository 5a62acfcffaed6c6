import { createContext, useCallback, useContext } from 'react'
import type { OwnOrganization, Profile } from '../features/organizations/schema.ts'
import { type PageName, type PageParams, pathTo } from './paths.ts'
import type { SignIn } from './sign-in/sign-in.ts'

export interface Person {
  readonly profile: Profile
  readonly organizations: readonly OwnOrganization[]
  readonly signIn: SignIn
}

export const PersonContext = createContext<Person | null>(null)
export const OrganizationContext = createContext<OwnOrganization | null>(null)

/** Who is signed in. */
export function usePerson(): Person {
  const person = useContext(PersonContext)
  if (!person) throw new Error('nobody is signed in above this component')
  return person
}

/** The organization that the address names. */
export function useOrganization(): OwnOrganization {
  const organization = useContext(OrganizationContext)
  if (!organization) throw new Error('no organization above this component')
  return organization
}

/** Whether the person's roles allow this in the organization, as the server says; it decides again on every request. */
export function useCan(): (permission: string) => boolean {
  const { permissions } = useOrganization()
  return useCallback((permission) => permissions.includes(permission), [permissions])
}

type Rest<N extends PageName> = Omit<PageParams<N>, 'alias'>

/** Makes addresses of the organization's pages. */
export function useTo() {
  const { alias } = useOrganization()
  return useCallback(
    <N extends PageName>(page: N, params: Rest<N>, query?: Readonly<Record<string, string | undefined>>) =>
      pathTo(page, { alias, ...params } as unknown as PageParams<N>, query),
    [alias],
  )
}
