import { tenantRoute } from '../../tenancy/route.ts'
import { ChatAnswer, ChatMessage, ChatMessageList, ChatPath, ChatQuery } from './schema.ts'
import { listMessages, sendMessage } from './service.ts'

export const messageRoutes = [
  tenantRoute({
    method: 'GET',
    path: '/sessions/:sessionId/messages',
    permission: 'runs:read',
    summary: 'List what a session asked in the chat and what was answered, newest first',
    schema: { params: ChatPath, query: ChatQuery, response: ChatMessageList },
    handler: (tenant, { params, query }) => listMessages(tenant, params.sessionId, query),
  }),
  tenantRoute({
    method: 'POST',
    path: '/sessions/:sessionId/messages',
    permission: 'runs:write',
    summary: 'Answer a question that a session asks in the chat; its run goes on',
    schema: { params: ChatPath, body: ChatAnswer, response: ChatMessage },
    handler: (tenant, { params, body }) => sendMessage(tenant, params.sessionId, body, new Date()),
  }),
]
