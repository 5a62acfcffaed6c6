import type { EngineEvent } from '../../engine/machine.ts'
import { platformTools } from '../../engine/platform-tools.ts'
import { AppError } from '../../errors.ts'
import { listStartable } from '../../features/agents/service.ts'
import { answerChild, listChildren, startChild, watchChild } from '../../features/sessions/children.ts'
import type { Task } from '../../features/tasks/schema.ts'
import { maxTasks, tasksOf, writeTask } from '../../features/tasks/service.ts'
import { checkJson } from '../../providers/json-schema.ts'
import { makeStorable } from '../storable.ts'
import type { EffectContext, Outcome, PerformTool, ToolEffect } from './effect.ts'

// What a supervisor's model may call. What reaches beyond its own session goes through the scope of whoever started it:
// the database refuses what that person may not do at this moment.

interface Done {
  readonly output: unknown
  readonly record?: Outcome['record']
}

type SessionTool = (context: EffectContext, effect: ToolEffect) => Promise<Done>

const tools: Readonly<Record<string, SessionTool>> = {
  async list_agents({ tenant }) {
    return { output: { agents: await listStartable(tenant.forStarter('agents:read')) } }
  },

  async start_session({ tenant, runId, sessionId }, { call, step, nodeId, input }) {
    const { agent, input: values, entryPoint } = input as { agent: string; input: object; entryPoint?: string }
    const start = { agent, entryPoint, input: { ...values } }
    const session = await startChild(tenant.forStarter('runs:write'), { runId, sessionId }, call, start)
    const data = { step, call, sessionId: session, agent }
    return { output: { session }, record: telling({ type: 'session_started', nodeId, data }) }
  },

  async get_session({ tenant, runId, sessionId }, { input }) {
    return { output: await watchChild(tenant.forStarter('runs:read'), { runId, sessionId }, String(input.session)) }
  },

  async list_sessions({ tenant, runId, sessionId }, { input }) {
    const { agent } = input as { agent?: string }
    return { output: { sessions: await listChildren(tenant.forStarter('runs:read'), { runId, sessionId }, agent) } }
  },

  async send_message({ tenant, runId, sessionId }, { input }) {
    const answer = input as { session: string; message: string; text: string }
    await answerChild(tenant.forStarter('runs:write'), { runId, sessionId }, answer, new Date())
    return { output: { sent: true } }
  },

  async set_task({ tenant, sessionId }, { nodeId, input }) {
    const { key, title, status, detail = null } = input as unknown as Task
    const tasks = await tasksOf(tenant.rows, sessionId)
    if (tasks.length >= maxTasks && !tasks.some((task) => task.key === key)) {
      throw new AppError('too_many_requests', `the plan has ${tasks.length} tasks, and no more may be added`)
    }
    const event = { type: 'task_updated', nodeId, data: { key, status } }
    const record: Outcome['record'] = async (tx) => {
      await writeTask(tx, sessionId, { key, title, status, detail })
      return [event]
    }
    return { output: { key, status }, record }
  },

  async list_tasks({ tenant, sessionId }) {
    const tasks = await tasksOf(tenant.rows, sessionId)
    return { output: { tasks: tasks.map(({ key, title, status, detail }) => ({ key, title, status, detail })) } }
  },
}

/** By name, for perform.ts. */
export const sessionTools: Readonly<Record<string, PerformTool>> = Object.fromEntries(
  Object.entries(tools).map(([name, perform]): [string, PerformTool] => [
    name,
    async (_, context, given) => {
      const effect = makeStorable(given)
      const [fault] = checkJson(platformTools.get(name)!.inputSchema, effect.input, 'input')
      if (fault) throw new AppError('input_invalid', `${name} does not take this: ${fault.path} ${fault.reason}`)
      const { output, record } = await perform(context, effect)
      const input = { kind: 'tool_result', call: effect.call, result: { ok: true, output } } as const
      return record ? { input, record } : { input }
    },
  ]),
)

function telling(event: EngineEvent): Outcome['record'] {
  return async () => [event]
}
