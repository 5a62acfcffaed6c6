import type { ToolSpec } from './machine.ts'

/** A tool that the platform performs, of which a package brings nothing. */
export interface PlatformTool extends ToolSpec {
  /** Longest time that one call may take. */
  readonly timeoutMs: number
}

export const writeReport = 'write_report'
export const httpTool = 'http'
export const loadSkill = 'load_skill'
export const setOutput = 'set_output'
export const askUser = 'ask_user'
export const delegate = 'delegate'

/** Between the name of an MCP server and that of its tool. A name of the package never has it. */
const mcpSeparator = '__'
export const mcpTimeoutMs = 60_000

const text = (description: string, maxLength = 200) => ({ type: 'string', maxLength, description })
const object = (properties: Record<string, object>, required: readonly string[] = []) => ({
  type: 'object',
  required,
  additionalProperties: false,
  properties,
})
const id = (description: string) => ({ type: 'string', format: 'uuid', description })
const session = id('Id of the session.')

const http: ToolSpec = {
  name: httpTool,
  description: [
    'Sends one HTTP request and returns {status, headers, body}; a JSON body comes back as JSON.',
    'Where a secret belongs write {{credentials.NAME.KEY}}, in a value of headers, query or body; it is filled in on the way out, only for the hosts that the credential is for, and you never see it.',
    'Private addresses cannot be reached. An answer of more than 1 MB is refused.',
  ].join(' '),
  inputSchema: object(
    {
      url: text('Absolute, https or http.', 8000),
      method: {
        type: 'string',
        enum: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
        description: 'GET when left out.',
      },
      query: {
        type: 'object',
        maxProperties: 100,
        additionalProperties: { type: ['string', 'number', 'boolean'] },
        description: 'Added to the URL.',
      },
      headers: { type: 'object', maxProperties: 50, additionalProperties: { type: 'string', maxLength: 8000 } },
      body: { description: 'A text is sent as it is, anything else as JSON.' },
      timeoutMs: { type: 'integer', minimum: 1, maximum: 60_000 },
    },
    ['url'],
  ),
}

const report: ToolSpec = {
  name: writeReport,
  description: 'Leaves a report for people to read: a title, a summary, facts and tables.',
  inputSchema: {
    type: 'object',
    required: ['report'],
    properties: { report: { type: 'object', required: ['title'], properties: { title: { type: 'string' } } } },
  },
}

const skill: ToolSpec = {
  name: loadSkill,
  description: 'Returns the instructions of a skill. Call it before you do what the skill is about.',
  inputSchema: object({ name: text('Name of the skill.', 64) }, ['name']),
}

/** Of an agent that starts others and watches them; they act with the rights of whoever started its own session. */
const sessionTools: readonly ToolSpec[] = [
  {
    name: 'list_agents',
    description: 'Lists the agents that can be started: name, description, and the JSON Schema of what each one needs.',
    inputSchema: object({}),
  },
  {
    name: 'start_session',
    description: 'Starts an agent and returns the id of its session. It works on while you do something else.',
    inputSchema: object(
      {
        agent: text('Name of the agent.', 64),
        input: { type: 'object', description: 'What the agent needs, as list_agents says.' },
        entryPoint: text('Where it starts, if not at the beginning.', 64),
      },
      ['agent', 'input'],
    ),
  },
  {
    name: 'get_session',
    description:
      'Says how a session that you have started stands: its status, what it asks, its results and errors. Whether something is approved only people decide.',
    inputSchema: object({ session }, ['session']),
  },
  {
    name: 'list_sessions',
    description: 'Lists the latest sessions that you have started, with their status.',
    inputSchema: object({ agent: text('Only those of this agent.', 64) }),
  },
  {
    name: 'send_message',
    description: 'Answers a question that a session which you have started asks.',
    inputSchema: object(
      { session, message: id('Id of the question, as get_session says.'), text: text('What to say.', 8000) },
      ['session', 'message', 'text'],
    ),
  },
  {
    name: 'set_task',
    description:
      'Writes a task of the plan of this session, which people see: a new one, or one that is there already.',
    inputSchema: object(
      {
        key: { ...text('A short name of your choice; the same again changes the task.', 64), minLength: 1 },
        title: { ...text('What is to be done.'), minLength: 1 },
        status: { type: 'string', enum: ['pending', 'in_progress', 'blocked', 'completed', 'cancelled'] },
        detail: text('What came of it.', 4000),
      },
      ['key', 'title', 'status'],
    ),
  },
  { name: 'list_tasks', description: 'Lists the tasks of the plan of this session.', inputSchema: object({}) },
]

const lasting = (spec: ToolSpec, timeoutMs: number): [string, PlatformTool] => [spec.name, { ...spec, timeoutMs }]

/** By name: what a node may name without the package having it. */
export const platformTools: ReadonlyMap<string, PlatformTool> = new Map([
  lasting(report, 60_000),
  lasting(http, 60_000),
  lasting(skill, 30_000),
  ...sessionTools.map((spec) => lasting(spec, 30_000)),
])

/** Those that only the machine offers, with a property of the node: they are answered here, never by the shell. */
const ownTools: readonly string[] = [setOutput, askUser, delegate]

/** Whether a package must choose another name for a tool of its own. */
export function isPlatformTool(name: string): boolean {
  return platformTools.has(name) || ownTools.includes(name)
}

export function isMcpTool(name: string): boolean {
  return name.includes(mcpSeparator)
}

/** The name of the MCP server in `server__tool`. */
export function serverOf(name: string): string {
  return name.slice(0, name.indexOf(mcpSeparator))
}

/** Whether a node that names these tools may call this one: by its own name, or by all tools of its server. */
export function mayCall(named: readonly string[], name: string): boolean {
  return named.includes(name) || (isMcpTool(name) && named.includes(`${serverOf(name)}${mcpSeparator}*`))
}
