/** An entry of a credential's allowedHosts: a host, reached by https, or host:port, reached as the address says (443 by https only). */
export const allowedHostPattern = '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$'

/** Whether a secret may be sent to this address. Who names a host without a port, or with that of https, means https. */
export function isAllowedHost(url: URL, allowedHosts: readonly string[]): boolean {
  const { hostname, protocol } = url
  const port = url.port || (protocol === 'https:' ? '443' : '80')
  return allowedHosts.some((allowed) => {
    if (port !== '443') return allowed === `${hostname}:${port}`
    return protocol === 'https:' && (allowed === hostname || allowed === `${hostname}:443`)
  })
}
