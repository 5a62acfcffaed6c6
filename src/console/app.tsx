import { QueryClientProvider } from '@tanstack/react-query'
import { lazy, useEffect, useMemo, useState } from 'react'
import { Redirect, Route, Switch } from 'wouter'
import { createApi } from './api/client.ts'
import { ApiContext, createQueryClient, useResource } from './api/hooks.ts'
import { resources } from './api/resources.ts'
import { OrganizationPages } from './frame/organization-pages.tsx'
import { type Person, PersonContext, usePerson } from './organization.ts'
import { ErrorState, Loading, Notice } from './parts/states.tsx'
import { pathTo, patterns } from './paths.ts'
import { Ended } from './sign-in/pages.tsx'
import type { SignIn } from './sign-in/sign-in.ts'

const Me = lazy(() => import('./pages/me.tsx'))
const Platform = lazy(() => import('./pages/platform.tsx'))
const Choose = lazy(() => import('./pages/choose.tsx'))
const NotFound = lazy(() => import('./pages/not-found.tsx'))
const PersonalPage = lazy(() => import('./frame/personal-page.tsx'))

/** The console of a person who is signed in. */
export function App({ signIn }: { readonly signIn: SignIn }) {
  const client = useMemo(createQueryClient, [])
  const api = useMemo(() => createApi(signIn, null), [signIn])
  const [ended, setEnded] = useState(false)
  useEffect(() => signIn.onEnded(() => setEnded(true)), [signIn])
  if (ended) return <Ended onSignIn={() => void signIn.signIn()} />
  return (
    <QueryClientProvider client={client}>
      <ApiContext value={api}>
        <Known signIn={signIn} />
      </ApiContext>
    </QueryClientProvider>
  )
}

/** Knows the person and their organizations before any page is shown. */
function Known({ signIn }: { readonly signIn: SignIn }) {
  const profile = useResource(resources.me)
  const own = useResource(resources.ownOrganizations)
  const person = useMemo<Person | null>(
    () => (profile.data && own.data ? { profile: profile.data, organizations: own.data.items, signIn } : null),
    [profile.data, own.data, signIn],
  )
  if (person)
    return (
      <PersonContext value={person}>
        <Pages />
      </PersonContext>
    )
  const error = profile.error ?? own.error
  if (!error) return <Loading label="Signing you in" />
  const retry = () => void Promise.all([profile.refetch(), own.refetch()])
  return (
    <Notice title="EngineX could not be opened">
      <ErrorState error={error} onRetry={retry} />
    </Notice>
  )
}

function Pages() {
  const { organizations, profile } = usePerson()
  return (
    <Switch>
      <Route path={patterns.start}>
        {organizations.length === 1 ? (
          <Redirect to={pathTo('home', { alias: organizations[0]!.alias })} replace />
        ) : organizations.length === 0 && profile.platformAdmin ? (
          <Redirect to={pathTo('platform', {})} replace />
        ) : (
          <PersonalPage>
            <Choose />
          </PersonalPage>
        )}
      </Route>
      <Route path={patterns.me}>
        <PersonalPage>
          <Me />
        </PersonalPage>
      </Route>
      <Route path={patterns.platform}>
        <PersonalPage>
          <Platform />
        </PersonalPage>
      </Route>
      <Route path="/o/:alias/*?">
        {({ alias }) => {
          const organization = organizations.find((one) => one.alias === alias)
          if (organization) return <OrganizationPages key={alias} organization={organization} />
          return (
            <PersonalPage>
              <NotFound />
            </PersonalPage>
          )
        }}
      </Route>
      <Route>
        <PersonalPage>
          <NotFound />
        </PersonalPage>
      </Route>
    </Switch>
  )
}
