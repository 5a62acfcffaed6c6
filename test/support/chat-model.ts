import { type ChatCompletionRequest, type FixtureResponse, LLMock } from '@copilotkit/aimock'
import type { Test } from 'tap'
import type { WorkerOptions } from './work.ts'

/** What a model does in one turn: it says something, or calls tools with these arguments. */
export type Turn = string | readonly (readonly [tool: string, args: object])[]

/** What a model does, turn after turn. `said`: all answers of tools so far, as JSON or text; `heard`: what people said. */
// biome-ignore lint/suspicious/noExplicitAny: whatever a tool answers
export type Script = (turn: number, said: readonly any[], heard: readonly string[]) => Turn

/**
 * A model server (aimock) whose answers follow a script: the first one whose name is in the conversation's inputs.
 * @returns what a worker needs to reach it
 */
export async function chatModel(
  t: Pick<Test, 'teardown'>,
  scripts: Readonly<Record<string, Script>>,
): Promise<Pick<WorkerOptions, 'model'>> {
  const server = new LLMock({ port: 0, host: '127.0.0.1' })
  server.on({}, (request) => answerOf(request, scripts))
  const url = new URL(await server.start())
  t.teardown(() => server.stop())
  return { model: { baseUrl: `${url.origin}/v1`, name: 'mock', apiKey: 'key', allow: [url.host] } }
}

function answerOf({ messages }: ChatCompletionRequest, scripts: Readonly<Record<string, Script>>): FixtureResponse {
  const [inputs = '', ...heard] = messages.filter(({ role }) => role === 'user').map(({ content }) => String(content))
  const name = Object.keys(scripts).find((one) => inputs.includes(`"${one}"`))
  if (!name) throw new Error(`no script for ${inputs.slice(0, 200)}`)
  const said = messages.filter(({ role }) => role === 'tool').map(({ content }) => parsed(String(content)))
  const turn = scripts[name]!(messages.filter(({ role }) => role === 'assistant').length, said, heard)
  if (typeof turn === 'string') return { content: turn }
  return { toolCalls: turn.map(([tool, args]) => ({ name: tool, arguments: JSON.stringify(args) })) }
}

function parsed(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    return content
  }
}

/** A package whose model talks with the person, and has to give `answer`. */
export function askingPackage(): Map<string, Buffer> {
  const node = { id: 'ask', type: 'event_loop', clientFacing: true, inputKeys: ['topic'], outputKeys: ['answer'] }
  const manifest = {
    ...{ name: 'asker', version: '1.0.0', description: 'Asks for a year.' },
    goal: { name: 'Ask', description: 'Asks.' },
    input: { type: 'object', required: ['topic'], properties: { topic: { type: 'string' } } },
    graph: {
      entryNode: 'ask',
      nodes: [{ ...node, systemPrompt: 'Ask for the year.', tools: ['ask_user'] }],
      edges: [],
      terminalNodes: ['ask'],
    },
  }
  return new Map([['agent.json', Buffer.from(JSON.stringify(manifest))]])
}
