import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{shared,server,cli,demo,extension,test,webviews}/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'test/lab/**'],
    // Real git, SQLite and sandboxes: generous, because a loaded machine is not a failure.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    pool: 'forks',
    maxWorkers: 2,
  },
})
