import { createMask } from './mask.ts'

/** Keeps a key out of what a server says: it may repeat what it was sent. */
export interface KeyMask {
  mask(text: string): string
  /** The same for a text that comes in pieces: what may be the beginning of the key waits for the next piece. */
  pieces(emit: (text: string) => void): { push(text: string): void; end(): void }
}

export function createKeyMask(key = ''): KeyMask {
  const mask = createMask([key])
  return {
    mask,
    pieces(emit) {
      let held = ''
      return {
        push(text) {
          const all = mask(held + text)
          const waits = overlap(all, key)
          held = all.slice(all.length - waits)
          if (waits < all.length) emit(all.slice(0, all.length - waits))
        },
        end() {
          if (held) emit(held)
        },
      }
    },
  }
}

/** The length of the longest end of `text` with which `key` begins. */
function overlap(text: string, key: string): number {
  for (let length = Math.min(text.length, key.length - 1); length > 0; length -= 1) {
    if (text.endsWith(key.slice(0, length))) return length
  }
  return 0
}
