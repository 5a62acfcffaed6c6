import type { AgentPackage } from '../engine/package.ts'
import { loadPackage } from '../features/agents/service.ts'
import type { Files } from '../providers/files.ts'

/** A version's package, by its organization and digest. Throws as loadPackage does. */
export type LoadPackage = (tenantId: string, digest: string) => Promise<AgentPackage>

interface Kept {
  readonly package: Promise<AgentPackage>
  bytes: number
}

/** Of their text, which is most of what they take up. */
const maxBytes = 32 * 1024 * 1024

/**
 * Loads packages and keeps those that were used last, `most` bytes of them, so that a run does not unpack, check and
 * compile again what the run before it did. A package never changes: its digest is its name.
 */
export function createPackages(files: Files, most = maxBytes): LoadPackage {
  const kept = new Map<string, Kept>()
  let bytes = 0

  function drop(key: string): void {
    bytes -= kept.get(key)?.bytes ?? 0
    kept.delete(key)
  }

  function keep(key: string, one: Kept, size: number): void {
    if (kept.get(key) !== one) return
    one.bytes = size
    bytes += size
    for (const oldest of kept.keys()) {
      if (bytes <= most) return
      drop(oldest)
    }
  }

  return (tenantId, digest) => {
    const key = `${tenantId} ${digest}`
    const found = kept.get(key)
    if (found) {
      kept.delete(key) // and behind the others again
      kept.set(key, found)
      return found.package
    }
    const one: Kept = { package: loadPackage(files, tenantId, digest), bytes: 0 }
    kept.set(key, one)
    one.package.then(
      (loaded) => keep(key, one, sizeOf(loaded)),
      () => drop(key),
    )
    return one.package
  }
}

function sizeOf({ manifest, files }: AgentPackage): number {
  return Object.values(files).reduce((sum, text) => sum + text.length, JSON.stringify(manifest).length)
}
