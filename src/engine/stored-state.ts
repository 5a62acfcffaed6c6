import { type Activation, type LoopState, type RunState, startState } from './state.ts'

/**
 * A state that a checkpoint holds, also one that an earlier release wrote: runs wait for people longer than releases
 * live. What a release adds is empty at first, so whatever is missing is.
 */
export function readState(stored: unknown): RunState {
  const state = { ...startState(), ...(stored as Partial<RunState>) }
  return { ...state, activations: state.activations.map(readActivation) }
}

function readActivation(stored: Activation): Activation {
  return stored.loop ? { ...stored, loop: readLoop(stored.loop) } : stored
}

function readLoop(stored: Partial<LoopState>): LoopState {
  const { iteration = 0 } = stored
  const fresh = { iteration, turns: iteration, messages: [], outputs: {}, idle: 0 }
  return { ...fresh, repeated: { call: '', times: 0, told: false }, ...stored }
}
