/** One node after the other, each doing one thing: a tool of the package, the platform's report, or a question. */
export interface ChainNode {
  /** A tool by name, or `approval`. */
  readonly does: string
  readonly inputKeys?: readonly string[]
  readonly outputKeys?: readonly string[]
}

/** A package whose nodes `step_1` … follow one another. `tools`: module text by name. */
export function chainPackage(
  name: string,
  nodes: readonly ChainNode[],
  tools: Readonly<Record<string, string>>,
): Map<string, Buffer> {
  const id = (index: number) => `step_${index + 1}`
  const manifest = {
    name,
    version: '1.0.0',
    description: 'One step after the other.',
    goal: { name: 'Walk', description: 'Comes to the end.' },
    graph: {
      entryNode: id(0),
      nodes: nodes.map(({ does, inputKeys = [], outputKeys = [] }, index) =>
        does === 'approval'
          ? { id: id(index), type: 'approval', title: 'Go on?', message: 'Shall it go on?', inputKeys, outputKeys }
          : { id: id(index), type: 'function', tool: does, inputKeys, outputKeys },
      ),
      edges: nodes.slice(1).map((_, index) => ({ source: id(index), target: id(index + 1), condition: 'on_success' })),
      pauseNodes: nodes.flatMap(({ does }, index) => (does === 'approval' ? [id(index)] : [])),
      terminalNodes: [id(nodes.length - 1)],
    },
    tools: Object.keys(tools).map((tool) => ({ name: tool, file: `tools/${tool}.js`, description: tool })),
  }
  return new Map([
    ['agent.json', Buffer.from(JSON.stringify(manifest))],
    ...Object.entries(tools).map(([tool, text]) => [`tools/${tool}.js`, Buffer.from(text)] as [string, Buffer]),
  ])
}
