import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { Config } from '#shared/model/index.ts'
import { ConfigError, complaint, type Environment, type Tree } from './settings.ts'

export type Places = { env: Environment; home: string; platform: NodeJS.Platform }

/** The XDG base directory specification: a relative path in its variables is to be ignored. */
const absolute = (path: string | undefined): string | null => (path && isAbsolute(path) ? path : null)

/** Where a node keeps its data: the XDG base directories, or what the platform has instead. */
export function defaultDataDir({ env, home, platform }: Places): string {
  const xdg = absolute(env.XDG_DATA_HOME)
  if (xdg) return join(xdg, 'skein')
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'skein')
  if (platform === 'win32') return join(env.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'skein')
  return join(home, '.local', 'share', 'skein')
}

function defaultSettingsFile({ env, home, platform }: Places): string {
  const xdg = absolute(env.XDG_CONFIG_HOME)
  if (xdg) return join(xdg, 'skein', 'skein.yaml')
  if (platform === 'win32') return join(env.APPDATA || join(home, 'AppData', 'Roaming'), 'skein', 'skein.yaml')
  return join(home, '.config', 'skein', 'skein.yaml')
}

const untilde = (path: string, home: string): string => (path === '~' || path.startsWith('~/') ? join(home, path.slice(1)) : path)

/**
 * Reads the settings file.
 * @returns null when none is named and the user has none.
 * @throws {ConfigError}
 */
export async function readSettingsFile(
  input: { flags: Readonly<Record<string, unknown>>; cwd: string } & Places,
): Promise<{ path: string; values: Tree } | null> {
  const named = typeof input.flags.config === 'string' ? input.flags.config : input.env.SKEIN_CONFIG
  const path = named ? resolve(input.cwd, named) : defaultSettingsFile(input)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if (!named && cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) return null
    throw new ConfigError(`Failed to read the settings file ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
  // Most users have no settings file, and a start is short of time.
  const { parseSettings } = await import('./settings-yaml.ts')
  const values = parseSettings(text, path)
  const parsed = Config.partial({ dataDir: true }).safeParse(values)
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map(issue => complaint(issue, () => `file ${path}`)).join('\n'))
  if (typeof values.dataDir === 'string') values.dataDir = resolve(dirname(path), untilde(values.dataDir, input.home))
  return { path, values }
}
