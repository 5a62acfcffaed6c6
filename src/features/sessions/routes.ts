import { downloadRoute, streamRoute, tenantRoute } from '../../tenancy/route.ts'
import { RunList } from '../runs/schema.ts'
import type { Services } from '../services.ts'
import {
  RunCreate,
  Session,
  SessionCreate,
  SessionDetail,
  SessionEventList,
  SessionEventQuery,
  SessionFilePath,
  SessionList,
  SessionPath,
  SessionQuery,
} from './schema.ts'
import {
  cancelSession,
  createSession,
  downloadInput,
  getSession,
  listSessionEvents,
  listSessionRuns,
  listSessions,
  pauseSession,
  resumeSession,
  runAgain,
  streamEvents,
} from './service.ts'

const inputLimits = { maxFiles: 10, maxBytes: 64 * 1024 * 1024 }

export function sessionRoutes({ files }: Services) {
  return [
    tenantRoute({
      method: 'GET',
      path: '/sessions',
      permission: 'runs:read',
      summary: 'List sessions, newest first',
      schema: { query: SessionQuery, response: SessionList },
      handler: (tenant, { query }) => listSessions(tenant, query),
    }),
    tenantRoute({
      method: 'POST',
      path: '/sessions',
      permission: 'runs:write',
      summary: 'Start a session: JSON, or a form with the JSON part `request` and one file for each file input',
      status: 201,
      upload: inputLimits,
      schema: { body: SessionCreate, response: SessionDetail },
      handler: (tenant, { body, files: uploads }) => createSession(files, tenant, body, uploads),
    }),
    tenantRoute({
      method: 'GET',
      path: '/sessions/:sessionId',
      permission: 'runs:read',
      summary: 'Get a session with its input and its run',
      schema: { params: SessionPath, response: SessionDetail },
      handler: (tenant, { params }) => getSession(tenant, params.sessionId),
    }),
    downloadRoute({
      method: 'GET',
      path: '/sessions/:sessionId/files/:file',
      permission: 'runs:read',
      summary: 'Download an input file of a session',
      schema: { params: SessionFilePath },
      handler: (tenant, { params }) => downloadInput(files, tenant, params.sessionId, params.file),
    }),
    tenantRoute({
      method: 'POST',
      path: '/sessions/:sessionId/pause',
      permission: 'runs:write',
      summary: 'Pause the run of a session at the end of its step',
      schema: { params: SessionPath, response: Session },
      handler: (tenant, { params }) => pauseSession(tenant, params.sessionId),
    }),
    tenantRoute({
      method: 'POST',
      path: '/sessions/:sessionId/resume',
      permission: 'runs:write',
      summary: 'Let a paused run go on',
      schema: { params: SessionPath, response: Session },
      handler: (tenant, { params }) => resumeSession(tenant, params.sessionId, new Date()),
    }),
    tenantRoute({
      method: 'POST',
      path: '/sessions/:sessionId/cancel',
      permission: 'runs:write',
      summary: 'Cancel the run of a session',
      schema: { params: SessionPath, response: Session },
      handler: (tenant, { params }) => cancelSession(tenant, params.sessionId, new Date()),
    }),
    tenantRoute({
      method: 'GET',
      path: '/sessions/:sessionId/runs',
      permission: 'runs:read',
      summary: 'List the runs of a session, newest first',
      schema: { params: SessionPath, response: RunList },
      handler: (tenant, { params }) => listSessionRuns(tenant, params.sessionId),
    }),
    tenantRoute({
      method: 'POST',
      path: '/sessions/:sessionId/runs',
      permission: 'runs:write',
      summary: 'Run a session again: with the same input, or from a checkpoint of an earlier run',
      status: 201,
      schema: { params: SessionPath, body: RunCreate, response: Session },
      handler: (tenant, { params, body }) => runAgain(tenant, params.sessionId, body),
    }),
    tenantRoute({
      method: 'GET',
      path: '/sessions/:sessionId/events',
      permission: 'runs:read',
      summary: 'List the events of a session, oldest first, at most 200 at once',
      schema: { params: SessionPath, query: SessionEventQuery, response: SessionEventList },
      handler: (tenant, { params, query }) => listSessionEvents(tenant, params.sessionId, query.after ?? 0),
    }),
    streamRoute({
      method: 'GET',
      path: '/sessions/:sessionId/stream',
      permission: 'runs:read',
      summary: 'Follow the events of a session (server-sent events); resume with Last-Event-ID',
      schema: { params: SessionPath, query: SessionEventQuery },
      handler: (tenant, { params, query }, control) =>
        streamEvents(tenant, params.sessionId, query.after ?? 0, control),
    }),
  ]
}
