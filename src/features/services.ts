import type { Doors } from '../db/doors.ts'
import type { KeycloakAdmin } from '../identity/keycloak-admin.ts'
import type { Files } from '../providers/files.ts'
import type { Mcp } from '../providers/mcp.ts'
import type { ModelServers } from '../providers/model-servers.ts'
import type { Vault } from '../providers/vault.ts'
import type { WebhookSender } from '../providers/webhook-sender.ts'

/** The outside things that routes need beside their tenant. */
export interface Services {
  readonly doors: Doors
  readonly keycloak: KeycloakAdmin
  readonly files: Files
  readonly vault: Vault
  readonly mcp: Mcp
  readonly models: ModelServers
  /** The name of the model that serves tenants without settings; null when the operator has none. */
  readonly deploymentModel: string | null
  readonly webhooks: WebhookSender
  /** Where new tenants live. */
  readonly region: string
}
