import type { Static } from 'typebox'
import type { TenantQueries } from '../../db/queries.ts'
import type { Effect, Input } from '../../engine/machine.ts'
import { AppError, notFound } from '../../errors.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { record } from '../audit/service.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import { appendEvents, lockedRun, lockedRunOfSession, type RunRow, wakeRun } from '../runs/service.ts'
import {
  findRow,
  findSession,
  insertRow,
  isAnswered,
  listAnswers,
  listRows,
  lockRow,
  withdrawRows,
  writeAnswer,
} from './repository.ts'
import type { ChatAnswer, ChatMessage, ChatMessageList, MessageStatus } from './schema.ts'

type Question = Extract<Effect, { kind: 'message' }>
type Said = Extract<Input, { kind: 'message' }>

/** Of a question with its evidence, as JSON text: a list holds a hundred of them. */
const mostCharacters = 64 * 1024

/** The conversation of a session, newest question first. */
export async function listMessages(
  tenant: TenantContext<'runs:read'>,
  sessionId: string,
  { limit = 20, cursor, status }: PageInput & { status?: MessageStatus | undefined },
): Promise<Static<typeof ChatMessageList>> {
  const rows = await listRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), { sessionId, status })
  if (rows.length === 0 && !(await findSession(tenant.rows, { id: sessionId }))[0]) throw notFound('session')
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.asked_at, id: row.id }), toMessage)
}

/**
 * Puts a run's question into the chat; asking the same call again is asking once. Throws payload_too_large when it is
 * more than a chat shows. @returns the id; undefined when it was asked before
 */
export async function askMessage(
  tx: TenantQueries,
  { sessionId, runId, effect }: { sessionId: string; runId: string; effect: Question },
): Promise<string | undefined> {
  const { call, nodeId, prompt, evidence } = effect
  const text = JSON.stringify({ prompt, evidence })
  if (text.length > mostCharacters) {
    throw new AppError('payload_too_large', `what "${nodeId}" asks in the chat takes more than 64 KB; ask less at once`)
  }
  return await insertRow(tx, { session_id: sessionId, run_id: runId, call, node_id: nodeId, prompt: text })
}

/** The answers that a run has got, as the engine takes them, oldest first. `from` is an address, or the actor's id. */
export async function messagesOf(queries: TenantQueries, runId: string): Promise<Said[]> {
  const rows = await listAnswers(queries, { runId })
  return rows.map((row) => ({
    kind: 'message',
    call: row.call,
    text: row.text!,
    from: row.email ? `${row.email}${row.name ? ` (${row.name})` : ''}` : row.answered_by!,
    at: row.answered_at!.toISOString(),
  }))
}

/** Takes back what a run asked in the chat and nobody answered. */
export const withdrawMessages = withdrawRows

/** Whether whoever acts now gave this very answer before. */
export const hasAnswered = isAnswered

/** Answers in the name of a member: see answerMessage. */
export async function sendMessage(
  tenant: TenantContext<'runs:read' | 'runs:write'>,
  sessionId: string,
  answer: ChatAnswer,
  now: Date,
): Promise<ChatMessage> {
  const id = await tenant.transaction((tx) => answerMessage(tx, sessionId, answer, now))
  const [row] = await findRow(tenant.rows, { id })
  return toMessage(row!)
}

/**
 * Answers a question of a session, once; the run goes on in the same transaction. Throws `conflict` when the session
 * asks nothing, already_answered when somebody else was faster, not_found for a question that is none of this session.
 * @returns the question's id
 */
export async function answerMessage(
  tx: TenantQueries,
  sessionId: string,
  { text, messageId }: ChatAnswer,
  now: Date,
): Promise<string> {
  const run = await runAsking(tx, sessionId, messageId)
  const question = await lockRow(tx, run.id, messageId)
  if (!question) throw messageId ? notFound('message') : nothingAsked(run)
  if (question.status === 'answered') throw new AppError('already_answered', 'this question is answered already')
  if (question.status === 'withdrawn') throw nothingAsked(run)
  await writeAnswer(tx, question.id, text, now)
  await record(tx, 'messages.answer', `message:${question.id}`, { characters: text.length })
  await wakeRun(tx, run, now)
  await appendEvents(tx, run.session_id, run.id, [
    {
      type: 'client_input_received',
      nodeId: question.node_id,
      data: { messageId: question.id, characters: text.length },
    },
  ])
  return question.id
}

/** Locks the run first, as everything does that concerns one: the newest, or the one that asked the named question. */
async function runAsking(tx: TenantQueries, sessionId: string, messageId: string | undefined): Promise<RunRow> {
  if (messageId === undefined) return await lockedRunOfSession(tx, sessionId)
  const [asked] = await findRow(tx, { id: messageId })
  if (asked?.session_id === sessionId) return await lockedRun(tx, asked.run_id)
  await lockedRunOfSession(tx, sessionId)
  throw notFound('message')
}

function nothingAsked({ status }: RunRow): AppError {
  return new AppError('conflict', `nothing is asked in this chat now: the run is ${status}`)
}

function toMessage(row: Awaited<ReturnType<typeof listRows>>[number]): ChatMessage {
  const { prompt, evidence } = row.prompt as unknown as Pick<ChatMessage, 'prompt' | 'evidence'>
  return {
    id: row.id,
    sessionId: row.session_id,
    runId: row.run_id,
    nodeId: row.node_id,
    prompt,
    evidence,
    status: row.status as MessageStatus,
    askedAt: row.asked_at.toISOString(),
    text: row.text,
    answeredAt: row.answered_at?.toISOString() ?? null,
    answeredBy: row.answered_by,
  }
}
