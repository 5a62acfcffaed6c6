import { parentPort } from 'node:worker_threads'
import { createInterpreter } from './quickjs.ts'
import type { ThreadRequest } from './sandbox.ts'

// The interpreter asks its host for the local time zone. A tool must not depend on where it runs: its zone is UTC.
Date.prototype.getTimezoneOffset = () => 0

const evaluate = await createInterpreter()
parentPort?.on('message', async (request: ThreadRequest) => parentPort?.postMessage(await evaluate(request)))
parentPort?.postMessage('ready')
