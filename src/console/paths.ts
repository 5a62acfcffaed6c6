/** Every address of the console. Pages live under their organization: the address is the state. */
export const patterns = {
  start: '/',
  me: '/me',
  platform: '/platform',
  signedOut: '/signed-out',
  home: '/o/:alias',
  approvals: '/o/:alias/approvals',
  approval: '/o/:alias/approvals/:approvalId',
  sessions: '/o/:alias/sessions',
  session: '/o/:alias/sessions/:sessionId',
  agents: '/o/:alias/agents',
  agent: '/o/:alias/agents/:name',
  startSession: '/o/:alias/agents/:name/start',
  deploy: '/o/:alias/deploy',
  reports: '/o/:alias/reports',
  report: '/o/:alias/reports/:reportId',
  members: '/o/:alias/members',
  audit: '/o/:alias/audit',
} as const

export type PageName = keyof typeof patterns

type ParamOf<P extends string> = P extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamOf<Rest>
  : P extends `${string}:${infer Name}`
    ? Name
    : never

export type PageParams<N extends PageName> = Record<ParamOf<(typeof patterns)[N]>, string>

/** The address of a page; the only maker of addresses. */
export function pathTo<N extends PageName>(
  page: N,
  params: PageParams<N>,
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const path = patterns[page].replace(/:(\w+)/g, (_, name: string) =>
    encodeURIComponent((params as Record<string, string>)[name] ?? ''),
  )
  const search = new URLSearchParams(Object.entries(query).filter((pair): pair is [string, string] => Boolean(pair[1])))
  return search.size > 0 ? `${path}?${search}` : path
}
