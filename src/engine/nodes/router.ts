import type { Node } from '../schema.ts'
import { type Behaviour, completed } from './node.ts'

/** Does nothing: what it is for happens when it is left. */
export const routerNode: Behaviour<Node & { type: 'router' }> = {
  begin: () => completed({}),
  effect() {
    throw new Error('a router calls nothing')
  },
  answer() {
    throw new Error('a router waits for nothing')
  },
}
