import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { Config } from '#shared/model/index.ts'
import { defaultProviders } from './providers.ts'
import { assign, ConfigError, complaint, type Environment, lookup, readSetting, SETTINGS, type Source } from './settings.ts'
import { defaultDataDir, readSettingsFile } from './settings-file.ts'

export { apiKey } from './providers.ts'
export { secretValues } from './secret-values.ts'
export { ConfigError, type Environment, lookup, type Source, settingPaths } from './settings.ts'

export interface ResolvedConfig {
  readonly config: Config
  /** Where the setting at a dotted path came from. */
  sourceOf(path: string): Source
  /** The settings file that was read, or null. */
  readonly file: string | null
}

/**
 * Reads all settings: flags over environment over skein.yaml over defaults.
 *
 * The file is the one `--config` or SKEIN_CONFIG names, else `skein/skein.yaml` in the user's configuration directory. It is never
 * looked for in the working directory: a repository is hostile input and must not configure the node that runs its jobs.
 * @param input.flags by dotted path, and `config` for the file; undefined ones are not given. Strings are read as in the
 * environment; every setting may be given as the value it is.
 * @throws {ConfigError} naming the setting, where it came from and what is allowed.
 */
export async function resolveConfig(input: {
  flags: Readonly<Record<string, unknown>>
  env: Environment
  cwd: string
  home?: string
  platform?: NodeJS.Platform
}): Promise<ResolvedConfig> {
  const { flags, env, cwd, home = homedir(), platform = process.platform } = input
  const file = await readSettingsFile({ flags, env, cwd, home, platform })
  const values = structuredClone(file?.values ?? {})
  const given = new Map<string, Source>()
  const sourceOf = (path: string) =>
    given.get(path) ?? (file && lookup(file.values, path) !== undefined ? `file ${file.path}` : 'default')
  const put = (path: string, value: unknown, source: Source) => {
    assign(values, path, value)
    given.set(path, source)
  }
  for (const setting of SETTINGS) {
    const { path } = setting
    const text = setting.env === undefined ? undefined : env[setting.env]
    if (text && flags[path] === undefined) {
      const source = `environment ${setting.env}`
      put(path, readSetting(setting, text, source), source)
    }
  }
  for (const [path, flag] of Object.entries(flags)) {
    if (path === 'config' || flag === undefined) continue
    const setting = SETTINGS.find(named => named.path === path)
    const source = `flag ${setting?.flag ?? path}`
    put(path, setting && typeof flag === 'string' ? readSetting(setting, flag, source) : flag, source)
  }
  if (typeof values.dataDir === 'string') assign(values, 'dataDir', resolve(cwd, values.dataDir))
  else put('dataDir', defaultDataDir({ env, home, platform }), env.XDG_DATA_HOME ? 'environment XDG_DATA_HOME' : 'default')
  if (lookup(values, 'models.providers') === undefined) {
    const { providers, source } = defaultProviders(env)
    put('models.providers', providers, source)
  }

  // Read once: to compile a parser for it would take longer than to do without.
  const parsed = Config.safeParse(values, { jitless: true })
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map(issue => complaint(issue, sourceOf)).join('\n'))
  return { config: parsed.data, sourceOf, file: file?.path ?? null }
}
