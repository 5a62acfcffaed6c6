import t from 'tap'
import { type Draft, faultsOf, packageOf } from './packages.ts'

/** An agent.json as the engine before this one writes it. */
const written: Draft = {
  goal: {
    id: 'hourly_tracking',
    name: 'Hourly tracking',
    description: 'Every transaction is booked once.',
    success_criteria: [{ id: 'exact', description: 'Sums fit.', metric: 'errors', target: '0', weight: 1 }],
    constraints: [{ id: 'no-loss', description: 'Nothing is lost.', constraint_type: 'hard', category: 'data' }],
  },
  graph: {
    entry_node: 'fetch',
    entry_points: { start: 'fetch' },
    async_entry_points: [],
    nodes: [
      {
        id: 'fetch',
        name: 'Fetch',
        description: 'Fetches.',
        node_type: 'function',
        tool: 'echo',
        client_facing: false,
        input_keys: ['source'],
        output_keys: ['rows', 'note'],
        nullable_output_keys: ['note'],
        input_schema: {},
        sub_agents: [],
        success_criteria: null,
        max_retries: 2,
        max_node_visits: 0,
      },
      {
        id: 'think',
        node_type: 'event_loop',
        input_keys: ['rows'],
        output_keys: ['done'],
        system_prompt: 'Think.',
        tools: ['look-up'],
        model: null,
        max_node_visits: 3,
      },
      { id: 'review', node_type: 'approval', title: 'Right?', message: 'Please look.', evidence: ['rows'] },
    ],
    edges: [
      {
        id: 'e1',
        source: 'fetch',
        target: 'think',
        condition: 'on_success',
        priority: 1,
        input_mapping: { rows: 'note' },
      },
      {
        id: 'e2',
        source: 'think',
        target: 'review',
        condition: 'conditional',
        condition_expr: 'done == true',
        priority: 2,
      },
      { id: 'e3', source: 'think', target: 'think', condition: 'on_success', priority: 1 },
    ],
    pause_nodes: ['review'],
    terminal_nodes: ['review'],
    loop_config: { max_iterations: 5, max_tool_calls_per_turn: 4, max_history_tokens: 8000 },
  },
  required_tools: ['echo', 'look-up'],
  metadata: { author: 'somebody' },
}

function original(): Draft {
  return structuredClone(written)
}

t.test('the declarative form of the original becomes ours', async (t) => {
  const { manifest } = packageOf(original())
  t.match(manifest, {
    name: 'hourly-tracking',
    version: '1.0.0',
    description: 'Every transaction is booked once.',
    goal: { successCriteria: [{ id: 'exact' }], constraints: [{ constraintType: 'hard' }] },
    tools: [
      { name: 'echo', file: 'tools/echo.js' },
      { name: 'look-up', file: 'tools/look-up.js' },
    ],
    graph: {
      entryNode: 'fetch',
      terminalNodes: ['review'],
      loopConfig: { maxIterations: 5, maxToolCallsPerTurn: 4, maxHistoryTokens: 8000 },
      edges: [{ inputMapping: { rows: 'note' } }, { expression: 'done == true' }, {}],
    },
  })
  const [fetch, think] = manifest.graph.nodes
  t.match(fetch, { type: 'function', nullableOutputKeys: ['note'], maxRetries: 2 })
  t.notOk('maxVisits' in fetch! || 'subAgents' in fetch! || 'clientFacing' in fetch! || 'inputSchema' in fetch!)
  t.match(think, { type: 'event_loop', systemPrompt: 'Think.', maxVisits: 3 })
  t.notOk('model' in think!)
})

t.test('what a model may do besides', async (t) => {
  const draft = original()
  draft.graph.nodes[1] = {
    ...draft.graph.nodes[1],
    client_facing: true,
    success_criteria: 'Be good.',
    sub_agents: ['helper'],
    tools: ['http'],
  }
  draft.graph.nodes.push({
    ...{ id: 'helper', node_type: 'event_loop', client_facing: false, sub_agents: [] },
    ...{ system_prompt: 'Help.', output_keys: ['found'] },
  })
  draft.required_tools.push('http')
  const { manifest } = packageOf(draft)
  t.match(manifest.graph.nodes[1], { clientFacing: true, successCriteria: 'Be good.', subAgents: ['helper'] })
  t.match(manifest.graph.nodes.at(-1), { type: 'subagent', systemPrompt: 'Help.' })
  t.notOk(
    manifest.tools?.some(({ name }) => name === 'http'),
    'the platform has it',
  )
  draft.graph.nodes[1].sub_agents = ['other']
  t.match(faultsOf(draft), [
    { path: '/graph/nodes/1/sub_agents/0', reason: 'there is no subagent node "other"' },
    { path: /^\/graph\/nodes\// },
  ])
})

t.test('metadata may name the package', async (t) => {
  const draft = { ...original(), metadata: { name: 'tracking', version: '2.1.0', description: 'Tracks.' } }
  t.match(packageOf(draft).manifest, { name: 'tracking', version: '2.1.0', description: 'Tracks.' })
})

t.test('what cannot be done yet is refused, at the place and by the name that its author knows', async (t) => {
  const refused = (change: (draft: Draft) => void) => {
    const draft = original()
    change(draft)
    return faultsOf(draft)
  }
  const of = (path: string, reason: string) => [{ file: 'agent.json', path, reason }]
  t.match(
    refused((draft) => Object.assign(draft.graph.edges[1], { condition_expr: 'done == True' })),
    of('/graph/edges/1/condition_expr', 'Unknown variable: True'),
  )
  t.match(
    refused((draft) => Object.assign(draft, { required_tools: ['echo', 'look-up', '../../etc/passwd'] })),
    of('/tools/2/name', 'must match pattern'),
  )
})

t.test('branches, triggers, routers and maps of the original', async (t) => {
  const draft = original()
  draft.graph.nodes.push(
    { id: 'choose', node_type: 'router', prompt: 'Which?', input_keys: ['done'] },
    ...[
      {
        id: 'all',
        node_type: 'map',
        over: 'rows',
        item_key: 'row',
        each: 'one',
        max_items: 5,
        output_keys: ['results'],
      },
      { id: 'one', node_type: 'function', tool: 'echo', input_keys: ['row'], output_keys: ['reply'] },
    ],
  )
  draft.graph.edges[1].priority = 1
  draft.graph.edges[2] = {
    source: 'think',
    target: 'choose',
    condition: 'llm_decide',
    description: 'When unsure.',
    priority: 1,
  }
  draft.graph.edges.push(
    { source: 'choose', target: 'review', condition: 'always' },
    { source: 'choose', target: 'all', condition: 'always' },
    { source: 'all', target: 'review', condition: 'on_success' },
  )
  const trigger_config = { interval_minutes: 60, run_immediately: true }
  const entry = { id: 'hourly', entry_node: 'fetch', trigger_type: 'timer', trigger_config, max_concurrent: 1 }
  Object.assign(draft.graph, { async_entry_points: [entry], conflict_policy: 'first' })
  Object.assign(draft.graph, { branch_failure_policy: 'continue_others' })
  Object.assign(draft.graph.loop_config, { max_tokens: 1000, max_tool_calls: 20, max_wall_time_ms: 60_000 })
  t.match(packageOf(draft).manifest.graph, {
    conflictPolicy: 'first',
    branchFailurePolicy: 'continue_others',
    asyncEntryPoints: [{ entryNode: 'fetch', triggerConfig: { intervalMinutes: 60, runImmediately: true } }],
    loopConfig: { maxTokens: 1000, maxToolCalls: 20, maxWallTimeMs: 60_000 },
    nodes: [{}, {}, {}, { type: 'router' }, { type: 'map', itemKey: 'row', maxItems: 5 }, { id: 'one' }],
  })
  entry.trigger_config.interval_minutes = 0
  t.match(faultsOf(draft), [{ path: '/graph/async_entry_points/0/trigger_config/interval_minutes', reason: '>= 1' }])
})

t.test('a name in both forms is refused, not guessed', async (t) => {
  const draft = original()
  draft.graph.nodes[0].maxRetries = 1
  t.match(faultsOf(draft), [{ path: '/graph/nodes/0/max_retries', reason: 'unknown property' }])
})
