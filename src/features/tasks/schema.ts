import { type Static, Type } from 'typebox'
import { Id, Nullable, Strict, Time } from '../schema.ts'

export const TaskStatus = Type.Enum(['pending', 'in_progress', 'blocked', 'completed', 'cancelled'])

/** One line of the plan that a session's agent keeps. */
export const Task = Type.Object({
  key: Type.String({ description: 'As the agent calls it, unique within the session.' }),
  title: Type.String(),
  status: TaskStatus,
  detail: Nullable(Type.String()),
  createdAt: Time,
  updatedAt: Time,
})
export type Task = Static<typeof Task>

export const TaskList = Type.Object({ items: Type.Array(Task) }, { description: 'At most 100, oldest first.' })
export const TaskPath = Strict({ sessionId: Id })
