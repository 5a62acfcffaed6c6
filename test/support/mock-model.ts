import { LLMock } from '@copilotkit/aimock'
import type { Test } from 'tap'
import type { ModelResult } from '../../src/engine/machine.ts'
import { callModel } from '../../src/providers/model.ts'
import { askForObject } from '../../src/providers/model-object.ts'
import type { ModelEffect } from './drive.ts'

/** A call as a test writes it: name and arguments. */
export type Call = readonly [name: string, args: unknown]

export const set = (key: string, value: unknown): Call => ['set_output', { key, value }]

/** What the model is asked, as far as a test looks at it. */
export interface Asked {
  /** The system prompt. */
  readonly system: string
  /** All that was said behind it, tool results included, as one text. */
  readonly text: string
  /** The last message. */
  readonly last: string
}

/** Whether it is to judge another model's results; their task stands in its system prompt too, so ask this first. */
export const judging = ({ system }: Asked): boolean => system.includes('You check the results of another model')
export const scoring = ({ system }: Asked): boolean => system.includes('A workflow has ended')
export const accepted = JSON.stringify({ verdict: 'accept', feedback: '' })

export interface MockModel {
  readonly url: string
  /** Answers requests for which `when` holds; of several rules the first that holds. */
  on(when: (asked: Asked) => boolean, answer: string | readonly Call[] | ((asked: Asked) => readonly Call[])): void
  /** The model as `drive` takes it. */
  readonly ask: (effect: ModelEffect) => Promise<ModelResult>
}

/** A model server for one test file; it is gone when the test ends. A request that no rule answers fails as 404. */
export async function mockModel(t: Test): Promise<MockModel> {
  const server = new LLMock({ port: 0, host: '127.0.0.1' })
  await server.start()
  t.teardown(() => server.stop())
  const url = `${server.url}/v1`
  const settings = {
    provider: 'openai_compatible',
    baseUrl: url,
    apiKey: 'unused',
    model: 'mock',
    maxTokens: 2000,
    temperature: 0,
    timeoutMs: 10_000,
  } as const
  return {
    url,
    on(when, answer) {
      const given = (calls: readonly Call[]) => ({
        toolCalls: calls.map(([name, args]) => ({ name, arguments: JSON.stringify(args) })),
      })
      server.on({ predicate: (request) => when(askedOf(request)) }, (request) => {
        const said = typeof answer === 'function' ? answer(askedOf(request)) : answer
        return typeof said === 'string' ? { content: said } : given(said)
      })
    },
    ask: ({ messages, tools, output }) => {
      const request = { ...settings, messages, tools }
      return output
        ? askForObject({ ...request, output }, (asked) => callModel(asked, { fetch }))
        : callModel(request, { fetch })
    },
  }
}

function askedOf({ messages }: { messages: readonly { role: string; content?: unknown }[] }): Asked {
  const textOf = (content: unknown) => (typeof content === 'string' ? content : JSON.stringify(content ?? ''))
  const of = (system: boolean) =>
    messages.filter(({ role }) => (role === 'system') === system).map(({ content }) => textOf(content))
  return { system: of(true).join('\n'), text: of(false).join('\n'), last: textOf(messages.at(-1)?.content) }
}
