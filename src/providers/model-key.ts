import { createMask, createOverlap } from './mask.ts'

/** Keeps a key out of what a server says: it may repeat what it was sent. */
export interface KeyMask {
  mask(text: string): string
  /** The same for a text that comes in pieces: what may be the beginning of the key waits for the next piece. */
  pieces(emit: (text: string) => void): { push(text: string): void; end(): void }
}

export function createKeyMask(key = ''): KeyMask {
  const mask = createMask([key])
  const overlap = createOverlap([key])
  return {
    mask,
    pieces(emit) {
      let held = ''
      return {
        push(text) {
          const all = mask(held + text)
          const waits = overlap(all)
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
