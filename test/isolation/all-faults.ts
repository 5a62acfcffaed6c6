import type { Fault } from './fault.ts'
import { approvalFaults } from './faults-approvals.ts'
import { attackFaults } from './faults-attacks.ts'
import { chatFaults } from './faults-chat.ts'
import { codeFaults } from './faults-code.ts'
import { databaseFaults } from './faults-database.ts'
import { runFaults } from './faults-runs.ts'
import { secretFaults } from './faults-secrets.ts'
import { toolFaults } from './faults-tools.ts'
import { triggerFaults } from './faults-triggers.ts'

/** Every defence that is taken away to see its test notice. */
export const faults: readonly Fault[] = [
  databaseFaults,
  codeFaults,
  attackFaults,
  runFaults,
  chatFaults,
  secretFaults,
  toolFaults,
  triggerFaults,
  approvalFaults,
].flat()
