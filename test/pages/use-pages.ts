import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { Lifetime } from '#server/lib/lifetime.ts'
import { type Complaints, listenTo, openBrowser, seriousFaults } from './browser.ts'

/**
 * A page of its own for each test around it, in one browser. A test fails when its page breached its policy or threw.
 * @returns where to find the page of the test that runs
 */
export function usePages(): { readonly page: Page; readonly life: Lifetime; faultsInBothThemes(): Promise<string[]> } {
  const life = new Lifetime()
  let browser: Browser
  let page: Page
  let complaints: Complaints
  beforeAll(async () => {
    browser = await openBrowser(life)
  })
  afterAll(() => life[Symbol.asyncDispose]())
  beforeEach(async () => {
    page = await (await browser.newContext()).newPage()
    complaints = await listenTo(page)
  })
  afterEach(async () => {
    expect(complaints).toEqual({ policy: [], exceptions: [] })
    await page.context().close()
  })
  return {
    life,
    get page() {
      return page
    },
    async faultsInBothThemes() {
      const faults: string[] = []
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        faults.push(...(await seriousFaults(page)).map(fault => `${colorScheme}: ${fault}`))
      }
      return faults
    },
  }
}
