/** An entry of a credential's allowedHosts: a host, reached by https, or host:port, reached as the address says. */
export const allowedHostPattern = '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$'

/** Whether a secret may be sent to this address. A host without a port means https on its own port, never plain http. */
export function isAllowedHost(url: URL, allowedHosts: readonly string[]): boolean {
  const { hostname, protocol } = url
  const port = url.port || (protocol === 'https:' ? '443' : '80')
  return allowedHosts.some((allowed) => {
    if (allowed === `${hostname}:${port}`) return true
    return allowed === hostname && protocol === 'https:' && port === '443'
  })
}
