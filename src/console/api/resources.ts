import type { Agent, AgentDetail, AgentVersion, Template } from '../../features/agents/schema.ts'
import type { Approval, ApprovalDetail } from '../../features/approvals/schema.ts'
import type { AuditEntry } from '../../features/audit/schema.ts'
import type { Member } from '../../features/members/schema.ts'
import type { ChatMessage } from '../../features/messages/schema.ts'
import type { Organization, OwnOrganization, Profile } from '../../features/organizations/schema.ts'
import type { Report, ReportDocument } from '../../features/reports/schema.ts'
import type { Step } from '../../features/runs/schema.ts'
import type { Session, SessionDetail } from '../../features/sessions/schema.ts'
import type { Query } from './client.ts'

/** An address of the API and what it answers. */
export interface Resource<T> {
  readonly path: string
  readonly query?: Query
  /** Never set: it carries the type. */
  readonly answers?: T
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly nextCursor: string | null
}

const at = <T>(path: string, query?: Query): Resource<T> => ({ path, ...(query ? { query } : {}) })
const part = encodeURIComponent

/** Where everything is that the console reads. */
export const resources = {
  me: at<Profile>('/v1/me'),
  ownOrganizations: at<{ items: OwnOrganization[] }>('/v1/me/organizations'),
  organizations: at<Page<Organization>>('/v1/platform/organizations'),
  agents: at<Page<Agent>>('/v1/agents'),
  agent: (name: string) => at<AgentDetail>(`/v1/agents/${part(name)}`),
  agentVersions: (name: string) => at<Page<AgentVersion>>(`/v1/agents/${part(name)}/versions`),
  templates: at<{ items: Template[] }>('/v1/templates'),
  sessions: (query: { agent?: string; limit?: number } = {}) => at<Page<Session>>('/v1/sessions', query),
  session: (id: string) => at<SessionDetail>(`/v1/sessions/${part(id)}`),
  messages: (sessionId: string) => at<Page<ChatMessage>>(`/v1/sessions/${part(sessionId)}/messages`),
  steps: (runId: string) => at<{ items: Step[] }>(`/v1/runs/${part(runId)}/steps`),
  approvals: (query: { status?: string; sessionId?: string; limit?: number } = {}) =>
    at<Page<Approval>>('/v1/approvals', query),
  approval: (id: string) => at<ApprovalDetail>(`/v1/approvals/${part(id)}`),
  reports: (query: { sessionId?: string; limit?: number } = {}) => at<Page<Report>>('/v1/reports', query),
  report: (id: string) => at<Report>(`/v1/reports/${part(id)}`),
  reportDocument: (id: string) => at<ReportDocument>(`/v1/reports/${part(id)}/files/report.json`),
  members: at<Page<Member>>('/v1/members'),
  audit: at<Page<AuditEntry>>('/v1/audit'),
} as const

/** What is not read but done. */
export const deeds = {
  signOutEverywhere: '/v1/me/sign-out',
  createOrganization: '/v1/platform/organizations',
  organization: (id: string, verb: 'suspend' | 'reactivate') => `/v1/platform/organizations/${part(id)}/${verb}`,
  deploy: (name: string, promote: boolean) => `/v1/agents/${part(name)}/versions${promote ? '?promote=true' : ''}`,
  promote: (name: string, version: string) => `/v1/agents/${part(name)}/versions/${part(version)}/promote`,
  archive: (name: string) => `/v1/agents/${part(name)}/archive`,
  deployTemplate: (name: string) => `/v1/templates/${part(name)}/deploy`,
  startSession: '/v1/sessions',
  run: (sessionId: string, verb: 'pause' | 'resume' | 'cancel') => `/v1/sessions/${part(sessionId)}/${verb}`,
  answer: (sessionId: string) => `/v1/sessions/${part(sessionId)}/messages`,
  decide: (approvalId: string) => `/v1/approvals/${part(approvalId)}/decision`,
} as const

/** What is taken home as a file, or followed. */
export const files = {
  package: (name: string, version: string) => `/v1/agents/${part(name)}/versions/${part(version)}/package`,
  input: (sessionId: string, file: string) => `/v1/sessions/${part(sessionId)}/files/${part(file)}`,
  report: (reportId: string, file: string) => `/v1/reports/${part(reportId)}/files/${part(file)}`,
  stream: (sessionId: string) => `/v1/sessions/${part(sessionId)}/stream`,
} as const
