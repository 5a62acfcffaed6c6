import { notifications } from '@mantine/notifications'
import { QueryClientProvider, useQuery } from '@tanstack/react-query'
import { type ComponentType, lazy, type ReactNode, useEffect, useMemo } from 'react'
import { Route, Switch } from 'wouter'
import type { OwnOrganization } from '../../features/organizations/schema.ts'
import { createApi } from '../api/client.ts'
import { ApiContext, createQueryClient } from '../api/hooks.ts'
import { OrganizationContext, useOrganization, usePerson } from '../organization.ts'
import { ErrorState, Loading } from '../parts/states.tsx'
import { patterns } from '../paths.ts'
import { Navigation } from './navigation.tsx'
import { Shell } from './shell.tsx'
import { OrganizationSwitcher } from './switcher.tsx'

/** Every page takes the parts of its own address. */
type AnyPage = ComponentType<Record<string, string>>

const pages = {
  home: lazy(() => import('../pages/home.tsx')),
  approvals: lazy(() => import('../pages/approvals.tsx')),
  approval: lazy(() => import('../pages/approval.tsx')),
  sessions: lazy(() => import('../pages/sessions.tsx')),
  session: lazy(() => import('../pages/session.tsx')),
  agents: lazy(() => import('../pages/agents.tsx')),
  agent: lazy(() => import('../pages/agent.tsx')),
  startSession: lazy(() => import('../pages/start-session.tsx')),
  deploy: lazy(() => import('../pages/deploy.tsx')),
  reports: lazy(() => import('../pages/reports.tsx')),
  report: lazy(() => import('../pages/report.tsx')),
  members: lazy(() => import('../pages/members.tsx')),
  audit: lazy(() => import('../pages/audit.tsx')),
}
const NotFound = lazy(() => import('../pages/not-found.tsx'))

/** All pages of one organization, with its own token and its own cache; leaving it drops both. */
export function OrganizationPages({ organization }: { readonly organization: OwnOrganization }) {
  const { signIn } = usePerson()
  const { alias } = organization
  const client = useMemo(createQueryClient, [])
  const api = useMemo(() => createApi(signIn, alias), [signIn, alias])
  useEffect(
    () => () => {
      void client.cancelQueries()
      client.clear()
      signIn.forget(alias)
      notifications.clean()
    },
    [client, signIn, alias],
  )
  return (
    <QueryClientProvider client={client}>
      <ApiContext value={api}>
        <OrganizationContext value={organization}>
          <Shell heading={<OrganizationSwitcher />} navigation={(close) => <Navigation onChosen={close} />}>
            <Admitted>
              <Switch>
                {(Object.entries(pages) as [keyof typeof pages, AnyPage][]).map(([name, Page]) => (
                  <Route key={name} path={patterns[name]}>
                    {(params) => <Page key={JSON.stringify(params)} {...(params as Record<string, string>)} />}
                  </Route>
                ))}
                <Route>
                  <NotFound />
                </Route>
              </Switch>
            </Admitted>
          </Shell>
        </OrganizationContext>
      </ApiContext>
    </QueryClientProvider>
  )
}

/** Gets the organization's token first, so that a removed member or a silent Keycloak is said once and not by each list. */
function Admitted({ children }: { readonly children: ReactNode }) {
  const { signIn } = usePerson()
  const { alias } = useOrganization()
  const admitted = useQuery({
    queryKey: ['admitted', alias],
    queryFn: () => signIn.token(alias).then(() => true),
    retry: 1,
  })
  if (admitted.data) return children
  if (admitted.error) return <ErrorState error={admitted.error} onRetry={() => void admitted.refetch()} />
  return <Loading label="Opening the organization" />
}
