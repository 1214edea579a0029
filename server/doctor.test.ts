import { describe, expect, test } from 'vitest'
import type { Agent } from '#server/agents/index.ts'
import type { Executor, ExecutorProbe } from '#server/executors/index.ts'
import type { Models } from '#server/models/index.ts'
import type { AgentInfo } from '#shared/model/index.ts'
import { resolveConfig } from './config.ts'
import { type DoctorDeps, diagnose } from './doctor.ts'

const sandbox: ExecutorProbe = { available: true, isolation: 'process', version: '0.8.0', detail: 'bubblewrap', remedy: null }
const executor = (probe: Partial<ExecutorProbe> = {}) =>
  ({ kind: 'process', probe: async () => ({ ...sandbox, ...probe }) }) as Executor
const agent = (info: Partial<AgentInfo> & { id: string }) =>
  ({
    probe: async () => ({
      title: info.id,
      kind: 'acp',
      usable: true,
      command: null,
      version: null,
      detail: '',
      remedy: null,
      ...info,
    }),
  }) as unknown as Agent
const models = (ids: string[], unreachable: { provider: string; reason: string }[] = []) =>
  ({
    list: async () => ({ models: ids.map(id => ({ id, object: 'model', created: 0, owned_by: 'ollama' })), unreachable }),
  }) as unknown as Models

const resolve = (env: Record<string, string> = {}) =>
  resolveConfig({ flags: {}, env, cwd: '/', home: '/nonexistent', platform: 'linux' })
const resolved = await resolve()
const isOpen = await resolve({ SKEIN_HOST: '0.0.0.0' })

/** A machine where everything is as it should be, but for what is given. */
const report = (deps: Partial<DoctorDeps> = {}) =>
  diagnose({
    resolved,
    env: {},
    executors: [executor()],
    agents: [agent({ id: 'opencode' })],
    models: models(['qwen3']),
    nodeVersion: 'v24.0.0',
    git: async () => 'git version 2.45.0',
    disk: async () => ({ freeBytes: 100 * 2 ** 30, writable: true }),
    peers: async () => ({ mesh: { state: 'absent', detail: 'Tailscale was not found.' }, problems: [] }),
    server: null,
    clock: { now: () => Date.UTC(2026, 10, 1) },
    ...deps,
  })

describe('diagnose', () => {
  test('finds nothing to mend on a machine that has everything', async () => {
    expect(await report()).toMatchObject({ ok: true, problems: [], git: 'git version 2.45.0', server: null })
  })

  test.each<[what: string, deps: Partial<DoctorDeps>, problem: RegExp, fix: RegExp]>([
    ['no git', { git: async () => null }, /git was not found/, /apt install git/],
    ['an old git', { git: async () => 'git version 2.20.1' }, /2\.20\.1 is too old/, /2\.38/],
    [
      'no sandbox',
      { executors: [executor({ available: false, detail: 'bwrap is missing', remedy: 'apt install bubblewrap' })] },
      /bwrap is missing/,
      /apt install bubblewrap/,
    ],
    [
      'a data directory that cannot be written',
      { disk: async () => ({ freeBytes: 1, writable: false }) },
      /cannot be written/,
      /SKEIN_DATA_DIR/,
    ],
    ['a full disk', { disk: async () => ({ freeBytes: 2 ** 20, writable: true }) }, /1\.0 MiB free/, /Free 511 MiB/],
  ])('%s keeps every job from running', async (_, deps, problem, fix) => {
    const { ok, problems } = await report(deps)
    expect(ok).toBe(false)
    expect(problems).toEqual([{ severity: 'error', what: expect.stringMatching(problem), fix: expect.stringMatching(fix) }])
  })

  test.each<[what: string, deps: Partial<DoctorDeps>, problem: RegExp]>([
    [
      'no coding agent',
      { agents: [agent({ id: 'command', kind: 'command' }), agent({ id: 'opencode', usable: false })] },
      /No coding agent/,
    ],
    ['a silent provider', { models: models([], [{ provider: 'ollama', reason: 'refused' }]) }, /ollama offers nothing: refused/],
    ['no model', { models: models([]) }, /No provider offers a model/],
    ['an open address', { resolved: isOpen }, /listens on 0\.0\.0\.0/],
    ['a wrong clock', { clock: { now: () => 0 } }, /1970-01-01/],
  ])('%s is told, and jobs can run', async (_, deps, problem) => {
    const { ok, problems } = await report(deps)
    expect(ok).toBe(true)
    expect(problems).toEqual([{ severity: 'warning', what: expect.stringMatching(problem), fix: expect.any(String) }])
  })

  test('shows the value that counts for every setting, and where it comes from', async () => {
    const { settings } = await report({ resolved: await resolve({ API_PORT: '9' }) })
    expect(settings).toContainEqual({ path: 'api.port', value: 9, source: 'environment API_PORT' })
    expect(settings).toContainEqual({ path: 'jobs.timeouts.runMs', value: 2 * 3_600_000, source: 'default' })
    expect(settings.find(({ path }) => path === 'node.concurrency')?.value).toBeGreaterThan(0)
  })

  test('never shows a secret', async () => {
    const env = {
      OPENAI_API_KEY: 'sk-very-secret',
      OPENAI_BASE_URL: 'https://me:hunter222@models.example/v1',
      SKEIN_LABELS: 'note=sk-very-secret',
    }
    const resolved = await resolve(env)
    const agents = { opencode: { env: { TOKEN: 'agent-secret' } } }
    const text = JSON.stringify(await report({ env, resolved: { ...resolved, config: { ...resolved.config, agents } } }))
    for (const secret of ['sk-very-secret', 'hunter222', 'agent-secret']) expect(text).not.toContain(secret)
    expect(text).toContain('models.example')
  })
})
