import type { Logger } from 'pino'

type Log = Pick<Logger, 'warn' | 'info'>

/** A job that looks for something to do every now and then, and when it is told that there is something. */
export interface Job {
  /** Looks now. Cheap to call often. */
  look(): void
  /** Resolves when what is under way is done; looks no more. */
  stop(): Promise<void>
}

/** Repeats `work` every `pollMs`, never twice at once; what it throws is logged, and it is tried again. */
export function startJob(options: { name: string; pollMs: number; log: Log; work: () => Promise<void> }): Job {
  let stopped = false
  const look = oneAtATime(options.log, options.name, async () => {
    if (!stopped) await options.work()
  })
  const timer = setInterval(look, options.pollMs)
  look()
  return {
    look,
    async stop() {
      stopped = true
      clearInterval(timer)
      await look.idle()
    },
  }
}

/** Calls that come while one is under way become one more, after it. A failure is logged when it begins and when it ends. */
export function oneAtATime(log: Log, who: string, work: () => Promise<void>) {
  let running: Promise<void> | undefined
  let again = false
  let failing = false
  const loop = async () => {
    do {
      again = false
      try {
        await work()
        if (failing) log.info(`${who} answers again`)
        failing = false
      } catch (err) {
        if (!failing) log.warn({ err }, `${who} does not answer; trying again`)
        failing = true
      }
    } while (again)
    running = undefined
  }
  const call = () => {
    if (running) again = true
    else running = loop()
  }
  return Object.assign(call, { idle: async () => await running })
}
