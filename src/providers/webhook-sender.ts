import { AppError } from '../errors.ts'
import { createOutgoing } from './outgoing.ts'

/** Sends messages to addresses that tenants chose. */
export interface WebhookSender {
  /** Throws input_invalid or egress_refused for an address that no message could go to. */
  check(url: string): Promise<void>
  /**
   * Posts a body and gives the status of the answer, whose body is not read; redirects are not followed. Throws
   * egress_refused, what the network throws, or the reason of the signal.
   */
  post(url: string, headers: Readonly<Record<string, string>>, body: string, signal: AbortSignal): Promise<number>
}

/** `allow`: host:port that may be reached although they are private, and without TLS. */
export function createWebhookSender({ allow }: { readonly allow: readonly string[] }): WebhookSender {
  const outgoing = createOutgoing({ allow, maxBytes: 64 * 1024 })
  return {
    async check(url) {
      if (!URL.canParse(url)) throw invalid('must be an address')
      const { protocol, host, username, password, hash } = new URL(url)
      if (username || password)
        throw invalid('must not hold a name or a password: whoever reads the endpoint reads them')
      if (hash) throw invalid('must not have a fragment')
      if (protocol !== 'https:' && !allow.includes(host)) throw invalid('must begin with https://')
      const { checkAddress } = await import('./http.ts')
      await checkAddress(url, { allow })
    },
    async post(url, headers, body, signal) {
      const answer = await outgoing(url, { method: 'POST', headers, body, redirect: 'manual', signal })
      await answer.body?.cancel()
      return answer.status
    },
  }
}

function invalid(reason: string): AppError {
  return new AppError('input_invalid', 'this address cannot be used', { faults: [{ path: 'url', reason }] })
}
