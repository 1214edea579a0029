import { expect, it, vi } from 'vitest'

it('reads no tables of a language until groups of specs are to be ordered: loading the extension would wait for it', async () => {
  const made = vi.spyOn(Intl, 'Collator')
  vi.resetModules()
  await import('./job-groups.ts')
  expect(made).not.toHaveBeenCalled()
})
