import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { Config } from '#shared/model/index.ts'
import { ConfigError, lookup, resolveConfig, settingPaths } from './config.ts'
import { assign, SETTINGS } from './settings.ts'

const home = mkdtempSync(join(tmpdir(), 'skein-config-'))
afterAll(() => rmSync(home, { recursive: true }))

/** Resolves as on a Linux machine whose user has nothing set up. */
const resolve = (
  given: { flags?: Record<string, unknown>; env?: Record<string, string>; platform?: NodeJS.Platform; cwd?: string } = {},
) => resolveConfig({ flags: {}, env: {}, cwd: '/work', home, platform: 'linux', ...given })

function settingsFile(text: string): string {
  const path = join(mkdtempSync(join(home, 'file-')), 'skein.yaml')
  writeFileSync(path, text)
  return path
}

const complaintOf = async (work: () => Promise<unknown>): Promise<string> => {
  try {
    await work()
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  throw new Error('nothing was complained about')
}

describe('sources', () => {
  /** Two different values of every kind of setting, as text and as they are meant. */
  const samples: Record<(typeof SETTINGS)[number]['kind'], readonly [text: string, value: unknown][]> = {
    text: [
      ['warn', 'warn'],
      ['error', 'error'],
      ['debug', 'debug'],
    ],
    integer: [
      ['11', 11],
      ['12', 12],
      ['13', 13],
    ],
    boolean: [
      ['true', true],
      ['false', false],
      ['true', true],
    ],
    list: [
      ['a.example', ['a.example']],
      ['b.example, c.example', ['b.example', 'c.example']],
      ['d.example', ['d.example']],
    ],
    pairs: [
      ['gpu=1', { gpu: '1' }],
      ['a=b=c', { a: 'b=c' }],
      ['x=', { x: '' }],
    ],
    bytes: [
      ['1G', 2 ** 30],
      ['2G', 2 ** 31],
      ['3M', 3 * 2 ** 20],
    ],
    duration: [
      ['1h', 3_600_000],
      ['1d', 24 * 3_600_000],
      ['90s', 90_000],
    ],
  }
  /** Of the settings that take certain words only. */
  const choices: Record<string, readonly [text: string, value: unknown][]> = {
    'executors.container.tree': [
      ['send', 'send'],
      ['mount', 'mount'],
      ['send', 'send'],
    ],
  }
  const setting = fc.constantFrom(...SETTINGS.filter(({ path }) => path !== 'dataDir'))

  test('the strongest source that says something wins, and is named', async () => {
    await fc.assert(
      fc.asyncProperty(setting, fc.boolean(), fc.boolean(), fc.boolean(), async (chosen, inFlags, inEnv, inFile) => {
        const [fromFlag, fromEnv, fromFile] = choices[chosen.path] ?? samples[chosen.kind]
        if (!fromFlag || !fromEnv || !fromFile) throw new Error('three samples are needed')
        const env: Record<string, string> = {}
        if (inEnv && chosen.env) env[chosen.env] = fromEnv[0]
        const inTree = chosen.path.split('.').reduceRight<unknown>((value, key) => ({ [key]: value }), fromFile[1])
        const file = settingsFile(inFile ? JSON.stringify(inTree) : '')
        const resolved = await resolve({ flags: { config: file, ...(inFlags ? { [chosen.path]: fromFlag[0] } : {}) }, env })
        const [expected, source] = inFlags
          ? [fromFlag[1], `flag ${chosen.flag ?? chosen.path}`]
          : inEnv && chosen.env
            ? [fromEnv[1], `environment ${chosen.env}`]
            : inFile
              ? [fromFile[1], `file ${file}`]
              : [lookup((await resolve()).config, chosen.path), 'default']
        expect(lookup(resolved.config, chosen.path)).toEqual(expected)
        expect(resolved.sourceOf(chosen.path)).toBe(source)
      }),
    )
  })

  test('every name outside the file is a setting', () => {
    const paths = settingPaths()
    for (const { path } of SETTINGS) expect(paths).toContain(path)
  })

  test('a section that nobody gives is what its schema makes of nothing', async () => {
    const keys = settingPaths().map(path => path.split('.'))
    const sections = keys.flatMap(path => path.slice(1).map((_, index) => path.slice(0, index + 1).join('.')))
    const [asked, unasked] = [{}, (await resolve()).config]
    for (const path of sections) assign(asked, path, lookup(asked, path) ?? {})
    expect(Object.keys(asked).length).toBeGreaterThan(8)
    const { dataDir, models } = unasked
    expect(Config.parse({ ...asked, dataDir, models })).toEqual(unasked)
  })

  test('a program may give any setting as the value it is', async () => {
    const { config, sourceOf } = await resolve({ flags: { 'models.providers': [], 'jobs.timeouts.runMs': 5 } })
    expect([config.models.providers, config.jobs.timeouts.runMs]).toEqual([[], 5])
    expect(sourceOf('jobs.timeouts.runMs')).toBe('flag jobs.timeouts.runMs')
  })

  test('an empty variable counts as not set', async () => {
    expect((await resolve({ env: { API_PORT: '' } })).sourceOf('api.port')).toBe('default')
  })

  test('a repository cannot configure the node: skein.yaml is not looked for where one works', async () => {
    const cwd = mkdtempSync(join(home, 'hostile-'))
    writeFileSync(join(cwd, 'skein.yaml'), 'api: { host: 0.0.0.0 }')
    expect((await resolve({ cwd })).config.api.host).toBe('127.0.0.1')
  })

  test('the settings of the user are found by XDG and platform', async () => {
    const xdg = mkdtempSync(join(home, 'xdg-'))
    mkdirSync(join(xdg, 'skein'))
    writeFileSync(join(xdg, 'skein', 'skein.yaml'), 'api: { port: 4321 }')
    expect((await resolve({ env: { XDG_CONFIG_HOME: xdg } })).config.api.port).toBe(4321)
    expect((await resolve({ env: { XDG_CONFIG_HOME: 'relative' } })).file).toBeNull()
  })
})

describe('data directory', () => {
  test.each<[NodeJS.Platform, Record<string, string>, string]>([
    ['linux', {}, join(home, '.local/share/skein')],
    ['linux', { XDG_DATA_HOME: '/data' }, '/data/skein'],
    ['linux', { XDG_DATA_HOME: 'relative' }, join(home, '.local/share/skein')],
    ['darwin', {}, join(home, 'Library/Application Support/skein')],
    ['linux', { SKEIN_DATA_DIR: 'here' }, '/work/here'],
  ])('on %s with %j', async (platform, env, expected) => {
    expect((await resolve({ platform, env })).config.dataDir).toBe(expected)
  })

  test('in a file it is relative to the file', async () => {
    const file = settingsFile('dataDir: data')
    expect((await resolve({ flags: { config: file } })).config.dataDir).toBe(join(file, '..', 'data'))
    expect((await resolve({ flags: { config: settingsFile('dataDir: ~/data') } })).config.dataDir).toBe(join(home, 'data'))
  })
})

describe('complaints name the setting, its source and what is allowed', () => {
  test.each([
    [{ API_PORT: '70000' }, 'Cannot use api.port from environment API_PORT: Too big: expected number to be <=65535.'],
    [{ API_PORT: 'http' }, 'Cannot use api.port from environment API_PORT: it must be a whole number.'],
    [
      { SKEIN_STORAGE_BUDGET: 'lots' },
      'Cannot use storage.budgetBytes from environment SKEIN_STORAGE_BUDGET: it must be an amount of bytes such as 500M or 20G.',
    ],
    [
      { SKEIN_KEEP_ENDED: '7' },
      'Cannot use storage.keepEndedMs from environment SKEIN_KEEP_ENDED: it must be a duration such as 90s, 30m, 12h or 30d.',
    ],
    [
      { SKEIN_ALLOW_NO_SANDBOX: 'maybe' },
      'Cannot use node.allowNoSandbox from environment SKEIN_ALLOW_NO_SANDBOX: it must be true or false.',
    ],
    [
      { SKEIN_LABELS: 'gpu' },
      'Cannot use node.labels from environment SKEIN_LABELS: it must be name=value pairs separated by commas.',
    ],
    [
      { OLLAMA_HOST: 'http://' },
      'Cannot use models.providers from environment OLLAMA_HOST: it must be a host, host:port or URL.',
    ],
  ])('%j', async (env, message) => {
    expect(await complaintOf(() => resolve({ env }))).toBe(message)
  })

  test('in a file: a wrong value, an unknown name, what is not YAML, what is not there', async () => {
    const wrong = settingsFile('api: { port: many }')
    expect(await complaintOf(() => resolve({ flags: { config: wrong } }))).toBe(
      `Cannot use api.port from file ${wrong}: Invalid input: expected number, received string.`,
    )
    const unknown = settingsFile('api: { prot: 1 }')
    expect(await complaintOf(() => resolve({ flags: { config: unknown } }))).toBe(
      `There is no setting api.prot, but file ${unknown} gives one. \`skein doctor\` lists all settings.`,
    )
    expect(await complaintOf(() => resolve({ flags: { config: settingsFile('a: [') } }))).toContain('is not YAML')
    expect(await complaintOf(() => resolve({ flags: { config: settingsFile('- 1') } }))).toContain('must hold a map of settings')
    expect(await complaintOf(() => resolve({ env: { SKEIN_CONFIG: '/nonexistent/skein.yaml' } }))).toContain(
      '/nonexistent/skein.yaml',
    )
  })

  test('a wrong value in the file is told even where something stronger hides it', async () => {
    const file = settingsFile('api: { port: -1 }')
    expect(await complaintOf(() => resolve({ flags: { config: file, 'api.port': 1 } }))).toContain(`file ${file}`)
  })
})

describe('providers', () => {
  test.each([
    [undefined, 'http://127.0.0.1:11434'],
    ['gpu', 'http://gpu:11434'],
    ['gpu:99', 'http://gpu:99'],
    [':99', 'http://127.0.0.1:99'],
    ['0.0.0.0', 'http://127.0.0.1:11434'],
    ['[::1]:5', 'http://[::1]:5'],
    ['https://gpu.example', 'https://gpu.example'],
    ['http://gpu.example/ollama/', 'http://gpu.example/ollama'],
  ])('OLLAMA_HOST %s', async (host, baseUrl) => {
    const { config } = await resolve({ env: host === undefined ? {} : { OLLAMA_HOST: host } })
    expect(config.models.providers).toEqual([{ kind: 'ollama', id: 'ollama', baseUrl }])
  })

  test('OpenAI’s variables add a provider; the key is named, never held', async () => {
    const resolved = await resolve({ env: { OPENAI_API_KEY: 'sk-very-secret' } })
    expect(resolved.config.models.providers[1]).toEqual({
      kind: 'openai-compatible',
      id: 'openai',
      baseUrl: 'https://api.openai.com/v1',
      apiKeyEnv: 'OPENAI_API_KEY',
      models: [],
    })
    expect(JSON.stringify(resolved)).not.toContain('sk-very-secret')
    expect(resolved.sourceOf('models.providers')).toBe('environment OPENAI_API_KEY')
  })

  test('a list in the file stands, whatever other programs have in the environment', async () => {
    const file = settingsFile('models: { providers: [] }')
    expect(
      (await resolve({ flags: { config: file }, env: { OPENAI_API_KEY: 'sk-1', OLLAMA_HOST: 'gpu' } })).config.models.providers,
    ).toEqual([])
  })
})
