interface TinyPackage {
  readonly name?: string
  /** Module text by name; `double` and `conclude` are there already. */
  readonly tools?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
  /** Instead of the tool at the start. */
  readonly first?: object
  readonly input?: object
}

/** double (a tool) -> review (an approval of `doubled`) -> conclude (a tool) -> publish (write_report). */
export function tinyPackage({
  name = 'tiny',
  tools = {},
  timeoutMs = 5000,
  first,
  input,
}: TinyPackage = {}): Map<string, Buffer> {
  const sources: Record<string, string> = {
    double: 'export default ({ number }) => ({ doubled: number * 2 })',
    conclude: `export default ({ doubled, review }) => ({
      report: { title: 'Doubled', facts: [{ label: 'Result', value: String(doubled) }, { label: 'Reason', value: review.reason }], tables: [] },
    })`,
    ...tools,
  }
  const manifest = {
    name,
    version: '1.0.0',
    description: 'Doubles a number when a person agrees.',
    goal: { name: 'Double', description: 'Doubles a number.' },
    input: input ?? { type: 'object', properties: { number: { type: 'integer' } } },
    graph: {
      entryNode: 'double',
      nodes: [
        first ?? { id: 'double', type: 'function', tool: 'double', inputKeys: ['number'], outputKeys: ['doubled'] },
        {
          id: 'review',
          type: 'approval',
          title: 'Is this right?',
          message: 'It is {{doubled}}.',
          inputKeys: ['doubled'],
          outputKeys: ['doubled'],
          evidence: ['number'],
          proposal: 'doubled',
          editSchema: { type: 'integer' },
        },
        {
          id: 'conclude',
          type: 'function',
          tool: 'conclude',
          inputKeys: ['doubled', 'review'],
          outputKeys: ['report'],
        },
        { id: 'publish', type: 'function', tool: 'write_report', inputKeys: ['report'], outputKeys: [] },
      ],
      edges: [
        { source: 'double', target: 'review', condition: 'on_success' },
        { source: 'review', target: 'conclude', condition: 'on_success' },
        { source: 'conclude', target: 'publish', condition: 'on_success' },
      ],
      pauseNodes: ['review'],
      terminalNodes: ['publish'],
    },
    tools: ['double', 'conclude'].map((tool) => ({
      name: tool,
      file: `tools/${tool}.js`,
      description: tool,
      timeoutMs,
    })),
  }
  return new Map([
    ['agent.json', Buffer.from(JSON.stringify(manifest))],
    ...Object.entries(sources).map(([tool, text]) => [`tools/${tool}.js`, Buffer.from(text)] as [string, Buffer]),
  ])
}
