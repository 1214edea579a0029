import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { Config } from '#shared/model/index.ts'
import { defaultProviders } from './providers.ts'
import {
  assign,
  ConfigError,
  complaint,
  type Environment,
  lookup,
  readSetting,
  SETTING_PATHS,
  SETTINGS,
  type Source,
} from './settings.ts'
import { defaultDataDir, readSettingsFile } from './settings-file.ts'

export { apiKey } from './providers.ts'
export { secretValues } from './secret-values.ts'
export { ConfigError, type Environment, lookup, SETTING_PATHS, type Source } from './settings.ts'

export interface ResolvedConfig {
  readonly config: Config
  /** By dotted path, one entry for every setting there is. */
  readonly sources: Readonly<Record<string, Source>>
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
export function resolveConfig(input: {
  flags: Readonly<Record<string, unknown>>
  env: Environment
  cwd: string
  home?: string
  platform?: NodeJS.Platform
}): ResolvedConfig {
  const { flags, env, cwd, home = homedir(), platform = process.platform } = input
  const file = readSettingsFile({ flags, env, cwd, home, platform })
  const values = structuredClone(file?.values ?? {})
  const sources: Record<string, Source> = {}
  for (const path of SETTING_PATHS)
    sources[path] = file && lookup(file.values, path) !== undefined ? `file ${file.path}` : 'default'
  const put = (path: string, value: unknown, source: Source) => {
    assign(values, path, value)
    sources[path] = source
  }
  for (const path of SETTING_PATHS) {
    const setting = SETTINGS.find(named => named.path === path)
    const flag = flags[path]
    const variable = setting?.env === undefined ? undefined : env[setting.env]
    if (flag !== undefined) {
      const source = `flag ${setting?.flag ?? path}`
      put(path, setting && typeof flag === 'string' ? readSetting(setting, flag, source) : flag, source)
    } else if (setting?.env !== undefined && variable) {
      const source = `environment ${setting.env}`
      put(path, readSetting(setting, variable, source), source)
    }
  }
  if (typeof values.dataDir === 'string') assign(values, 'dataDir', resolve(cwd, values.dataDir))
  else put('dataDir', defaultDataDir({ env, home, platform }), env.XDG_DATA_HOME ? 'environment XDG_DATA_HOME' : 'default')
  if (lookup(values, 'models.providers') === undefined) {
    const { providers, source } = defaultProviders(env)
    put('models.providers', providers, source)
  }

  // Read once: to compile a parser for it would take longer than to do without.
  const parsed = Config.safeParse(values, { jitless: true })
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map(issue => complaint(issue, sources)).join('\n'))
  return { config: parsed.data, sources, file: file?.path ?? null }
}
