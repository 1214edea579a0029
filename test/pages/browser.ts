import { existsSync } from 'node:fs'
import axe from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { Lifetime } from '#server/lib/lifetime.ts'

/** Debian's Chromium, or the one that SKEIN_CHROMIUM names. */
const program = process.env.SKEIN_CHROMIUM ?? '/usr/bin/chromium'

/** Whether there is a browser to show pages with; says why not once. */
export const hasBrowser: boolean = (() => {
  if (existsSync(program)) return true
  console.warn(`skipped: there is no ${program} (apt install chromium, or name one by SKEIN_CHROMIUM)`)
  return false
})()

/** A browser with nothing of anybody's in it. It ends with `life`. */
export async function openBrowser(life: Lifetime): Promise<Browser> {
  const quiet = [
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ]
  // Its own sandbox cannot be made by root.
  const browser = await chromium.launch({ executablePath: program, args: ['--no-sandbox', ...quiet] })
  life.defer(() => browser.close())
  return browser
}

/** What a page complained about: breaches of its policy, and exceptions. */
export interface Complaints {
  readonly policy: readonly string[]
  readonly exceptions: readonly string[]
}

/** Listens to what goes wrong in a page. To be called before it is opened. */
export async function listenTo(page: Page): Promise<Complaints> {
  const complaints = { policy: [] as string[], exceptions: [] as string[] }
  await page.exposeFunction('__breach', (what: string) => complaints.policy.push(what))
  await page.addInitScript(`document.addEventListener('securitypolicyviolation', event =>
    window.__breach([event.violatedDirective, event.blockedURI, event.sample].join(' ')))`)
  page.on('pageerror', error => complaints.exceptions.push(error.stack ?? error.message))
  return complaints
}

/** What hinders those who cannot see or use a mouse, by the rules of axe: only what is serious or worse. */
export function seriousFaults(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`${axe.source}; axe.run().then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => id + ': ' + nodes.map(({ target, failureSummary }) => target + ' ' + failureSummary).join('; ')))`)
}
