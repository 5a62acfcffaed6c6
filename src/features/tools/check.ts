import { AppError } from '../../errors.ts'
import type { Mcp } from '../../providers/mcp.ts'
import { hasPlaceholder } from '../../providers/secrets.ts'
import type { ServerValues } from './repository.ts'
import type { McpServerSave } from './schema.ts'

/** Short enough to leave room for a tool in the 64 characters that models allow for `server__tool`. */
const nameForm = /^(?=.{1,32}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$/
/** The protocol's and the connection's own. */
const reserved =
  /^(mcp-.*|accept|connection|content-.*|cookie2?|expect|host|keep-alive|last-event-id|proxy-.*|te|trailer|transfer-encoding|upgrade)$/i
/** What these hold is a secret, so it belongs into a credential. */
const secretive = /auth|token|key|secret|password|credential|session|signature/i

/** What is stored of a configuration. Throws invalid_request or egress_refused with what is wrong about it. */
export async function checkServer(mcp: Mcp, name: string, given: McpServerSave): Promise<ServerValues> {
  const { description = '', transport, url, headers, command, allowedTools, timeoutMs = 30_000 } = given
  if (!nameForm.test(name)) throw invalid('the name must begin with a letter and have at most 32 characters')
  const common = {
    description,
    transport,
    allowed_tools: JSON.stringify([...new Set(allowedTools)]),
    timeout_ms: timeoutMs,
  }
  if (transport === 'stdio') {
    if (command === undefined || !mcp.programs.includes(command)) {
      const known = mcp.programs.length > 0 ? `one of ${mcp.programs.join(', ')}` : 'nothing: the operator allows none'
      throw invalid(`command must be ${known}`)
    }
    if (url !== undefined || headers !== undefined) throw invalid('a server over stdio has neither url nor headers')
    return { ...common, url: null, headers: '{}', command }
  }
  if (url === undefined || command !== undefined)
    throw invalid('a server over streamable_http has a url and no command')
  await checkUrl(mcp, url)
  for (const [header, value] of Object.entries(headers ?? {})) checkHeader(header, value)
  return { ...common, url, headers: JSON.stringify(headers ?? {}), command: null }
}

async function checkUrl(mcp: Mcp, text: string): Promise<void> {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) throw invalid('url must be an http or https address')
  if (url.username || url.password) throw invalid('url must not hold a user or a password: use a header')
  if (url.hash || hasPlaceholder(text)) throw invalid('url must hold neither a fragment nor a placeholder')
  await mcp.check(text)
}

function checkHeader(name: string, value: string): void {
  if (reserved.test(name)) throw invalid(`the header ${name} is the protocol's own`)
  if (/[^\t\x20-\x7e]/.test(value)) throw invalid(`the header ${name} holds a character that a header cannot hold`)
  if (secretive.test(name) && !hasPlaceholder(value)) {
    throw invalid(`the header ${name} holds a secret: store it as a credential and write {{credentials.NAME.KEY}}`)
  }
}

function invalid(reason: string): AppError {
  return new AppError('invalid_request', reason)
}
