import { createMask, createStreamMask } from './mask.ts'

/** Keeps a key out of what a server says: it may repeat what it was sent. */
export interface KeyMask {
  mask(text: string): string
  /** The same for a text that comes in pieces: what may be the beginning of the key waits for the next piece. */
  pieces(emit: (text: string) => void): { push(text: string): void; end(): void }
}

export function createKeyMask(key = ''): KeyMask {
  const mask = createMask([key])
  const maskPiece = createStreamMask([key])
  return {
    mask,
    pieces(emit) {
      let held = ''
      return {
        push(text) {
          const { covered, held: left } = maskPiece(held + text)
          held = left
          if (covered) emit(covered)
        },
        end() {
          if (held) emit(mask(held))
        },
      }
    },
  }
}
