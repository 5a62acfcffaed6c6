/** The files of the smallest package that does something, by path. */
export function scaffold(name: string): Readonly<Record<string, string>> {
  const manifest = {
    name,
    version: '0.1.0',
    description: 'Greets a person and leaves a report.',
    goal: { name: 'A greeting', description: 'A report that greets the person by name.' },
    input: {
      type: 'object',
      required: ['person'],
      properties: { person: { title: 'Person', type: 'string', minLength: 1, maxLength: 100 } },
    },
    graph: {
      entryNode: 'greet',
      nodes: [
        { id: 'greet', type: 'function', tool: 'greet', inputKeys: ['person'], outputKeys: ['report'] },
        {
          id: 'review',
          type: 'approval',
          title: 'Publish this greeting?',
          message: 'For {{person}}.',
          evidence: ['report'],
        },
        { id: 'publish', type: 'function', tool: 'write_report', inputKeys: ['report'] },
      ],
      edges: [
        { source: 'greet', target: 'review', condition: 'on_success' },
        { source: 'review', target: 'publish', condition: 'on_success' },
      ],
      terminalNodes: ['publish'],
    },
    tools: [{ name: 'greet', file: 'tools/greet.js', description: 'Writes a greeting.' }],
  }
  return {
    'agent.json': `${JSON.stringify(manifest, null, 2)}\n`,
    'tools/greet.js': `/** Runs in a sandbox: no network, no files, no clock but the run's own. */
export default function greet({ person }) {
  return {
    report: { title: \`Hello, \${person}\`, facts: [{ label: 'Greeted', value: person }], tables: [] },
  }
}
`,
    'README.md': `# ${name}

    enginex validate
    enginex deploy
    enginex run ${name} --set person=Ada --watch
`,
  }
}
