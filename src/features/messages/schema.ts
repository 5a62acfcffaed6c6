import { type Static, Type } from 'typebox'
import { Id, Nullable, Page, PageQuery, Strict, Time } from '../schema.ts'

const Json = Type.Unsafe<unknown>({})

export const MessageStatus = Type.Enum(['pending', 'answered', 'withdrawn'])
export type MessageStatus = Static<typeof MessageStatus>

/** A question that a run asked in the chat, with its answer once there is one. */
export const ChatMessage = Type.Object({
  id: Id,
  sessionId: Id,
  runId: Id,
  nodeId: Type.String(),
  prompt: Type.String(),
  evidence: Type.Array(Type.Object({ key: Type.String(), value: Json })),
  status: MessageStatus,
  askedAt: Time,
  text: Nullable(Type.String()),
  answeredAt: Nullable(Time),
  answeredBy: Nullable(Type.String()),
})
export type ChatMessage = Static<typeof ChatMessage>

/** In characters, of what a person may answer. */
export const maxText = 16_000

export const ChatAnswer = Strict({
  text: Type.String({ minLength: 1, maxLength: maxText }),
  messageId: Type.Optional(
    Type.String({ format: 'uuid', description: 'The oldest pending question of the newest run when left out.' }),
  ),
})
export type ChatAnswer = Static<typeof ChatAnswer>

export const ChatMessageList = Page(ChatMessage)
export const ChatQuery = Strict({ ...PageQuery, status: Type.Optional(MessageStatus) })
export const ChatPath = Strict({ sessionId: Id })
