import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { sqliteStore } from '#server/store/sqlite/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { storeContract } from './store.ts'

storeContract('sqlite', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'skein-store-'))
  const store = await sqliteStore({ file: join(directory, 'skein.db'), clock: virtualClock() })
  onTestFinished(async () => {
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  })
  return store
})
