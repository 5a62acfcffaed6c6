import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * A TCP port of 127.0.0.1 that nothing listened on a moment ago, from below those that the system gives to outgoing
 * connections: one of these would take it while whoever asked is still starting.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 32_000)
    const free = await listenOnce(port).catch((error) => {
      if (error.code !== 'EADDRINUSE') throw error
    })
    if (free) return free
  }
}

/** Throws one line that says what to do when the port is taken. */
export async function requirePort(port: number, purpose: string): Promise<void> {
  try {
    await listenOnce(port)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'EADDRINUSE') throw cause
    throw new Error(
      `Port ${port} on 127.0.0.1 is in use and ${purpose} needs it: stop what listens there, or start on other ports in a folder of their own with "npm start -- --port 9000 --directory .enginex-9000".`,
      { cause },
    )
  }
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port))
    })
  })
}
