import { type AgentPackage, type Fault, parsePackage } from '../../src/engine/package.ts'

/** A manifest in the making: deliberately loose, since tests break it. */
// biome-ignore lint/suspicious/noExplicitAny: a test changes any part of it
export type Draft = any

/** The smallest package: one tool, then the end. */
export function smallest(): Draft {
  return {
    name: 'echo',
    version: '1.0.0',
    description: 'Says what it was told.',
    goal: { name: 'Echo', description: 'The answer is the question.' },
    input: { type: 'object', properties: { question: { type: 'string' } }, required: ['question'] },
    graph: {
      entryNode: 'answer',
      nodes: [{ id: 'answer', type: 'function', tool: 'echo', inputKeys: ['question'], outputKeys: ['reply'] }],
      edges: [],
      terminalNodes: ['answer'],
    },
    tools: [{ name: 'echo', file: 'tools/echo.js', description: 'Echoes.' }],
  }
}

/** One node of each type: a tool, a model, a person, and a way back that is limited. */
export function review(): Draft {
  const draft = smallest()
  draft.tools.push({ name: 'look_up', file: 'tools/look-up.js', description: 'Looks up.', timeoutMs: 700 })
  draft.approvalPolicies = [{ name: 'finance', roles: ['operator'] }]
  draft.graph = {
    entryNode: 'fetch',
    nodes: [
      { id: 'fetch', type: 'function', tool: 'echo', inputKeys: ['question'], outputKeys: ['rows'], maxRetries: 1 },
      {
        id: 'draft',
        type: 'event_loop',
        systemPrompt: 'prompts/draft.md',
        inputKeys: ['rows', 'check'],
        outputKeys: ['text', 'note'],
        nullableOutputKeys: ['note'],
        tools: ['look_up'],
        maxVisits: 3,
      },
      {
        id: 'check',
        type: 'approval',
        title: 'Send it?',
        message: 'About {{question}}: {{ note }}',
        evidence: ['rows'],
        proposal: 'text',
        editSchema: { type: 'string', maxLength: 100 },
        policy: 'finance',
      },
      { id: 'send', type: 'function', tool: 'echo', inputKeys: ['text'], outputKeys: [] },
    ],
    edges: [
      { source: 'fetch', target: 'draft', condition: 'on_success' },
      { source: 'draft', target: 'check', condition: 'on_success' },
      { source: 'check', target: 'send', condition: 'on_success' },
      {
        source: 'check',
        target: 'draft',
        condition: 'conditional',
        expression: '!result.ok && visits.draft < 3',
        priority: 5,
      },
    ],
    pauseNodes: ['check'],
    terminalNodes: ['send'],
    entryPoints: { start: 'fetch' },
  }
  return draft
}

/** The files of a package around a manifest. */
export function filesOf(manifest: unknown, more: Record<string, string> = {}): Map<string, Uint8Array> {
  const texts = {
    'agent.json': typeof manifest === 'string' ? manifest : JSON.stringify(manifest),
    'tools/echo.js': 'export default (input) => ({ reply: input.question })',
    'tools/look-up.js': 'export default () => ({})',
    'prompts/draft.md': 'Write a short text.',
    ...more,
  }
  return new Map(Object.entries(texts).map(([path, text]) => [path, new TextEncoder().encode(text)]))
}

/** A package that must be sound. */
export function packageOf(manifest: unknown, more?: Record<string, string>): AgentPackage {
  const result = parsePackage(filesOf(manifest, more))
  if (!result.ok) throw new Error(JSON.stringify(result.faults, null, 2))
  return result.package
}

/** The faults of a package that must not be. */
export function faultsOf(manifest: unknown, more?: Record<string, string>): Fault[] {
  const result = parsePackage(filesOf(manifest, more))
  if (result.ok) throw new Error('the package was accepted')
  return result.faults
}
