import { AppError } from '../errors.ts'

interface Queue {
  held: number
  readonly waiting: (() => void)[]
}

/**
 * Lets each holder have at most `share` of something at a time; its others wait, in order. The function that comes back
 * throws `overloaded` for work that waited longer than `patienceMs`.
 */
export function createTurns(share: number, patienceMs: number) {
  const queues = new Map<string, Queue>()

  function take(holder: string): Promise<void> {
    const queue = queues.get(holder) ?? { held: 0, waiting: [] }
    queues.set(holder, queue)
    if (queue.held < share) {
      queue.held += 1
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const begin = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        queue.waiting.splice(queue.waiting.indexOf(begin), 1)
        reject(new AppError('overloaded', 'too many changes are under way; try again'))
      }, patienceMs)
      queue.waiting.push(begin)
    })
  }

  function pass(holder: string): void {
    const queue = queues.get(holder)!
    const next = queue.waiting.shift()
    if (next) next()
    else queue.held -= 1
    if (queue.held === 0) queues.delete(holder)
  }

  return async <T>(holder: string, work: () => Promise<T>): Promise<T> => {
    await take(holder)
    try {
      return await work()
    } finally {
      pass(holder)
    }
  }
}
