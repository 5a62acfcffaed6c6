import { startServices, type TestServices } from './services.ts'

const stops: (() => unknown)[] = []

/** Stands for a test where there is none: what is to be undone at the end of a proof or a bench. */
export const stage = { teardown: (stop: () => unknown) => void stops.unshift(stop) }

/** Plays a proof or a bench over services of its own, and puts everything away, whatever comes of it. */
export async function onStage<R>(
  { durable = false }: { readonly durable?: boolean },
  play: (services: TestServices) => Promise<R>,
): Promise<R> {
  const services = await startServices({ keycloak: false, durable })
  Object.assign(process.env, services.environment)
  try {
    return await play(services)
  } finally {
    for (const stop of stops) await Promise.resolve(stop()).catch((error: unknown) => console.error(error))
    await services.stop()
  }
}

/** Tells the result as the last line, and ends the process by it. */
export function conclude(result: { readonly passed: boolean; readonly [figure: string]: unknown }): never {
  console.log(JSON.stringify(result))
  process.exit(result.passed ? 0 : 1)
}
