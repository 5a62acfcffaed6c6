import type { ModelAnswer, ModelFailure, ModelIo, ModelRequest } from './model.ts'
import { createOutgoing } from './outgoing.ts'

/** The way to model servers, through the egress guard. Clients and guard are loaded by the first use. */
export interface ModelServers {
  /** Asks once; see callModel. */
  call(request: ModelRequest, io: Omit<ModelIo, 'fetch'>): Promise<ModelAnswer | ModelFailure>
  /** Looks at an address before it is stored. Throws egress_refused. */
  check(address: string): Promise<void>
}

/** Of everything that one request brings, the names and marks around the text included. */
const maxBytes = 8 * 1024 * 1024

/** `allow`: host:port that may be reached although it is private. */
export function createModelServers({ allow }: { readonly allow: readonly string[] }): ModelServers {
  const fetch = createOutgoing({ allow, maxBytes })
  return {
    async call(request, io) {
      const { callModel } = await import('./model.ts')
      return await callModel(request, { ...io, fetch })
    },
    async check(address) {
      const { checkAddress } = await import('./http.ts')
      await checkAddress(address, { allow })
    },
  }
}
