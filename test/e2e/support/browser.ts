import chromium from '@sparticuz/chromium'
import { type Browser, type BrowserContext, chromium as driver, type Page } from 'playwright-core'
import type { Test } from 'tap'

/** A real Chromium out of npm, closed when the test ends. */
export async function launchBrowser(t: Pick<Test, 'teardown'>): Promise<Browser> {
  const browser = await driver.launch({ executablePath: await chromium.executablePath(), args: chromium.args })
  t.teardown(() => browser.close())
  return browser
}

export interface Visitor {
  readonly page: Page
  readonly context: BrowserContext
  /** What the browser complained about: refused by the content policy, thrown, or failed to load. */
  readonly complaints: readonly string[]
}

/** A person's own browser, with nothing in it yet. */
export async function openVisitor(browser: Browser, consoleUrl: string): Promise<Visitor> {
  const context = await browser.newContext({
    baseURL: consoleUrl,
    viewport: { width: 1360, height: 900 },
    reducedMotion: 'reduce',
  })
  // A browser without passkeys: where there is no device that could hold one, Keycloak's page gives up and begins anew.
  await context.addInitScript(() => Reflect.deleteProperty(window, 'PublicKeyCredential'))
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(`thrown: ${error.message}`))
  page.on('console', (message) => {
    // The browser notes every answer of 400 and more as an error; those are the API's to give.
    if (message.type() !== 'error' || message.text().startsWith('Failed to load resource')) return
    // Keycloak's own pages are its own business; what has no address, such as an inline script, is ours.
    if (!message.location().url.startsWith('http') || message.location().url.startsWith(consoleUrl))
      complaints.push(message.text())
  })
  return { page, context, complaints }
}

/** Opens an address of the console and signs in on Keycloak's own page, which leads back to that address. */
export async function signIn(page: Page, path: string, email: string, password: string): Promise<void> {
  await page.goto(path)
  await submitPassword(page, email, password)
}

/** Fills in Keycloak's pages, e-mail first, which are shown already or about to be. */
export async function submitPassword(page: Page, email: string, password: string): Promise<void> {
  await page.locator('#username').fill(email)
  await page.locator('#kc-login').click()
  await page.locator('#password').fill(password)
  await page.locator('#kc-login').click()
}
