import { lookup as systemLookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { Agent, buildConnector, fetch as undiciFetch } from 'undici'
import { AppError } from '../errors.ts'

export interface GuardOptions {
  /** Exact `host:port` that may be reached whatever their address is. */
  readonly allow?: readonly string[]
  /** All addresses of a name; the system's own by default. */
  readonly lookup?: (hostname: string) => Promise<readonly { address: string; family: number }[]>
  /** Whether a connection serves further requests: only where all of them are one tenant's, see decision 0015. */
  readonly keepAlive?: boolean
  /** Aborted when no connection is needed any more: they are closed then, however long the other side keeps them. */
  readonly until?: AbortSignal
  /** Of an answer's body, after decompression. */
  readonly maxBytes?: number
}

/** Public by their range, but a cloud's own services for its machines. */
const cloudServices = new Set(['168.63.129.16'])
const publicIpv6 = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * A fetch for addresses that a stranger chose. It connects to public addresses only, and looks at the address itself at
 * every connection, so neither a name, nor a redirect, nor a name that changes its address leads inside. Throws
 * egress_refused; takes an address, not a Request.
 */
export function createGuardedFetch(options: GuardOptions = {}): typeof fetch {
  const { allow = [], lookup = systemAddresses, keepAlive = false, until, maxBytes = 32 * 1024 * 1024 } = options
  const allowed = new Set(allow.map((place) => place.toLowerCase()))
  const direct = buildConnector({ timeout: 10_000 })
  const guarded = buildConnector({ timeout: 10_000, lookup: guardedLookup(lookup) })
  const dispatcher = new Agent({
    pipelining: keepAlive ? 1 : 0,
    connect: (target, done) => {
      const { hostname, port, protocol } = target
      if (allowed.has(`${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`)) return direct(target, done)
      const literal = hostname.replace(/^\[|\]$/g, '')
      // A literal address is connected to without a lookup.
      if (isIP(literal) && !isPublic(literal)) return done(refused(hostname), null)
      guarded(target, done)
    },
  })
  until?.addEventListener('abort', () => void dispatcher.destroy(), { once: true })
  return async (input, init) => {
    const url = parse(input)
    try {
      const answer = await undiciFetch(url, { ...(init as object), dispatcher })
      return bounded(answer as unknown as Response, maxBytes)
    } catch (error) {
      throw refusalIn(error) ?? error
    }
  }
}

/**
 * The same look at an address before it is stored, so that whoever writes it hears of it at once. A name that nobody
 * knows yet is let through; the connection decides. Throws egress_refused.
 */
export async function checkAddress(address: string, options: GuardOptions = {}): Promise<void> {
  const { allow = [], lookup = systemAddresses } = options
  const { hostname, port, protocol } = parse(address)
  if (allow.includes(`${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`)) return
  const literal = hostname.replace(/^\[|\]$/g, '')
  const found = isIP(literal) ? [{ address: literal }] : await lookup(hostname).catch(() => [])
  if (!found.every((one) => isPublic(one.address))) throw refused(hostname)
}

function parse(input: string | URL | Request): URL {
  const text = input instanceof URL ? input.href : input
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url
  throw new AppError('egress_refused', 'only http and https addresses can be reached')
}

/** Whether an address, in any of its spellings, belongs to the public internet. */
function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address) || cloudServices.has(address)) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  return parsed.kind() === 'ipv4' || (parsed as ipaddr.IPv6).match(publicIpv6)
}

function guardedLookup(lookup: NonNullable<GuardOptions['lookup']>): LookupFunction {
  return (hostname, { all }, done) => {
    lookup(hostname).then(
      (found) => {
        const [first] = found
        // One inner address among public ones is reason enough: which one is tried is not ours to say.
        if (!first || !found.every(({ address }) => isPublic(address))) return done(refused(hostname), '', 4)
        if (all) done(null, [...found])
        else done(null, first.address, first.family)
      },
      (error) => done(error, '', 4),
    )
  }
}

function systemAddresses(hostname: string): Promise<{ address: string; family: number }[]> {
  return systemLookup(hostname, { all: true })
}

function refused(hostname: string): AppError {
  return new AppError('egress_refused', `${hostname} does not belong to the public internet, so it cannot be reached`)
}

/** fetch wraps what a connection throws. */
function refusalIn(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error
  return error instanceof Error && error.cause !== undefined ? refusalIn(error.cause) : undefined
}

function bounded(answer: Response, maxBytes: number): Response {
  if (!answer.body) return answer
  let bytes = 0
  const measured = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.byteLength
      if (bytes <= maxBytes) controller.enqueue(chunk)
      else controller.error(new AppError('egress_refused', `the answer is larger than ${maxBytes} bytes`))
    },
  })
  const { status, statusText, headers } = answer
  return new Response(answer.body.pipeThrough(measured), { status, statusText, headers: [...headers] })
}
