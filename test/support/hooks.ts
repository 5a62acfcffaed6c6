import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { createWebhookSecret, signWebhook } from '../../src/providers/webhooks.ts'
import { seedWork } from '../isolation/work.ts'
import { type TestApp, testApp } from './app.ts'
import { seedTenant, type TestTenant } from './database.ts'

export interface Hook {
  readonly id: string
  readonly secret: string
  readonly agent: string
}

/** How a message differs from one that is sent rightly. */
export interface Sent {
  readonly secrets?: readonly string[]
  readonly id?: string
  readonly signed?: string
  readonly sent?: string | Buffer
  readonly at?: Date
  readonly headers?: Record<string, string>
}

interface Answer {
  readonly status: number
  readonly json: { readonly sessionId?: string; readonly code?: string }
  /** Everything but what differs each time. */
  readonly whole: string
}

export interface HookTests extends TestApp {
  readonly acme: TestTenant
  readonly beta: TestTenant
  /** A tenant more. */
  newTenant(alias: string): Promise<TestTenant>
  /** Adds a webhook to the tenant, for an agent of its own. */
  newHook(tenant: TestTenant, more?: object): Promise<Hook>
  /** Sends a message, signed rightly unless something is changed. */
  send(hook: Hook, change?: Sent): Promise<Answer>
  /** How many rows there are of what a message may make. */
  counts(): Promise<object>
}

export const messageBody = JSON.stringify({ event: 'invoice.paid', amount: '12.50' })

/** A webhook that never was anybody's, with a sender who signs well. */
export function hookOfNobody(): Hook {
  return { id: randomUUID(), secret: createWebhookSecret(), agent: '' }
}

/** The whole API with two tenants, and senders of messages. */
export async function hookTests(t: Pick<Test, 'teardown'>): Promise<HookTests> {
  const testing = await testApp(t)
  const { app, admin, doors, services, keycloak, tokenFor } = testing
  const newTenant = async (alias: string) => {
    const tenant = await seedTenant(doors, alias)
    keycloak.know(tenant)
    return tenant
  }
  return {
    ...testing,
    acme: await newTenant('canary-acme'),
    beta: await newTenant('beta'),
    newTenant,
    async newHook(tenant, more = {}) {
      const { agent } = await seedWork(admin, services.files, tenant)
      const headers = { authorization: `Bearer ${await tokenFor(tenant, 'builder')}` }
      const payload = { kind: 'webhook', name: randomUUID(), agent, ...more }
      const answer = await app.inject({ method: 'POST', url: '/v1/triggers', headers, payload })
      if (answer.statusCode !== 201) throw new Error(answer.body)
      const { id, secret } = answer.json()
      return { id, secret, agent }
    },
    async send({ id: triggerId, secret }, change = {}) {
      const { secrets = [secret], id = randomUUID(), signed = messageBody, at = new Date(), headers = {} } = change
      const answer = await app.inject({
        method: 'POST',
        url: `/v1/hooks/${triggerId}`,
        headers: { 'content-type': 'application/json', ...signWebhook(secrets, id, signed, at), ...headers },
        payload: change.sent ?? signed,
      })
      const { requestId, ...told } = answer.json()
      const shown = JSON.stringify({ ...answer.headers, date: '' }).replaceAll(requestId, '')
      const status = answer.statusCode
      return { status, json: answer.json(), whole: `${status} ${shown} ${JSON.stringify(told)}` }
    },
    async counts() {
      const { rows } = await admin.query(`select (select count(*) from app.sessions) as sessions,
        (select count(*) from app.runs) as runs, (select count(*) from app.trigger_firings) as firings,
        (select count(*) from app.audit_entries) as audit`)
      return rows[0]
    },
  }
}
