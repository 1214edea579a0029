import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { parse as parseYaml, YAMLParseError } from 'yaml'
import * as z from 'zod'
import { parseBytes, parseDuration } from '#server/lib/units.ts'
import { Config, type ProviderConfig } from '#shared/model/index.ts'

/** Environment variables; an empty one counts as not set. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Where a setting came from: `flag --port`, `environment API_PORT`, `file /…/skein.yaml` or `default`. */
export type Source = string

export interface ResolvedConfig {
  readonly config: Config
  /** By dotted path, one entry for every setting there is. */
  readonly sources: Readonly<Record<string, Source>>
  /** The settings file that was read, or null. */
  readonly file: string | null
}

/** A setting that cannot be used. Exit code 78 (EX_CONFIG of sysexits.h). */
export class ConfigError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.name = 'ConfigError'
  }
}

type Kind = 'text' | 'integer' | 'boolean' | 'list' | 'pairs' | 'bytes' | 'duration'

interface Setting {
  /** Dotted path in `Config`. */
  readonly path: string
  readonly env?: string
  readonly flag?: string
  readonly kind: Kind
}

/** Settings that have a name outside the settings file. Every other setting of `Config` can be given in skein.yaml only. */
export const SETTINGS: readonly Setting[] = [
  { path: 'dataDir', env: 'SKEIN_DATA_DIR', flag: '--data-dir', kind: 'text' },
  { path: 'api.host', env: 'SKEIN_HOST', flag: '--host', kind: 'text' },
  { path: 'api.port', env: 'API_PORT', flag: '--port', kind: 'integer' },
  { path: 'api.corsAllowedOrigins', env: 'CORS_ALLOWED_ORIGINS', kind: 'list' },
  { path: 'api.allowedHosts', env: 'SKEIN_ALLOWED_HOSTS', kind: 'list' },
  { path: 'api.requestsPerMinute', env: 'SKEIN_REQUESTS_PER_MINUTE', kind: 'integer' },
  { path: 'node.name', env: 'SKEIN_NODE_NAME', flag: '--name', kind: 'text' },
  { path: 'node.concurrency', env: 'SKEIN_CONCURRENCY', flag: '--concurrency', kind: 'integer' },
  { path: 'node.labels', env: 'SKEIN_LABELS', kind: 'pairs' },
  { path: 'node.allowNoSandbox', env: 'SKEIN_ALLOW_NO_SANDBOX', kind: 'boolean' },
  { path: 'storage.budgetBytes', env: 'SKEIN_STORAGE_BUDGET', kind: 'bytes' },
  { path: 'storage.reserveBytes', env: 'SKEIN_STORAGE_RESERVE', kind: 'bytes' },
  { path: 'storage.keepEndedMs', env: 'SKEIN_KEEP_ENDED', kind: 'duration' },
  { path: 'jobs.graceMs', env: 'SKEIN_GRACE', kind: 'duration' },
  { path: 'jobs.networkAllow', env: 'SKEIN_NETWORK_ALLOW', kind: 'list' },
  { path: 'log.level', env: 'SKEIN_LOG_LEVEL', flag: '--log-level', kind: 'text' },
]

/**
 * Reads all settings: flags over environment over skein.yaml over defaults.
 *
 * The file is the one `--config` or SKEIN_CONFIG names, else `skein/skein.yaml` in the user's configuration directory. It is never
 * looked for in the working directory: a repository is hostile input and must not configure the node that runs its jobs.
 * @param input.flags by dotted path, and `config` for the file; undefined ones are not given. Strings are read as in the environment.
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

  if (typeof values.dataDir === 'string' && file)
    put('dataDir', resolve(dirname(file.path), untilde(values.dataDir, home)), `file ${file.path}`)
  for (const setting of SETTINGS) {
    const flag = flags[setting.path]
    const variable = setting.env === undefined ? undefined : env[setting.env]
    if (flag !== undefined) {
      const source = `flag ${setting.flag ?? setting.path}`
      put(setting.path, typeof flag === 'string' ? read(setting, flag, source) : flag, source)
    } else if (setting.env !== undefined && variable) {
      const source = `environment ${setting.env}`
      put(setting.path, read(setting, variable, source), source)
    }
  }
  if (typeof values.dataDir === 'string') assign(values, 'dataDir', resolve(cwd, values.dataDir))
  else put('dataDir', defaultDataDir({ env, home, platform }), env.XDG_DATA_HOME ? 'environment XDG_DATA_HOME' : 'default')
  if (lookup(values, 'models.providers') === undefined) {
    const { providers, source } = defaultProviders(env)
    put('models.providers', providers, source)
  }

  const parsed = Config.safeParse(values)
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map(issue => complaint(issue, sources)).join('\n'))
  return { config: parsed.data, sources, file: file?.path ?? null }
}

/** Every leaf of the schema by dotted path, so that a new setting is told of by doctor without being listed anywhere. */
export const SETTING_PATHS: readonly string[] = leaves(Config, '')

function leaves(schema: z.ZodType, prefix: string): string[] {
  const inner = unwrap(schema)
  if (!(inner instanceof z.ZodObject)) return [prefix]
  return Object.entries(inner.shape).flatMap(([key, value]) => leaves(value as z.ZodType, prefix ? `${prefix}.${key}` : key))
}

function unwrap(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional
    ? unwrap(schema.unwrap() as z.ZodType)
    : schema
}

type Tree = Record<string, unknown>
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Value at a dotted path of a document, or undefined. */
export function lookup(document: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((at, key) => (isTree(at) ? at[key] : undefined), document)
}

function assign(document: Tree, path: string, value: unknown): void {
  const keys = path.split('.')
  const last = keys.pop()
  let at = document
  for (const key of keys) {
    const next = isTree(at[key]) ? at[key] : {}
    at[key] = next
    at = next
  }
  if (last !== undefined) at[last] = value
}

type Places = { env: Environment; home: string; platform: NodeJS.Platform }

/** The XDG base directory specification: a relative path in its variables is to be ignored. */
const absolute = (path: string | undefined): string | null => (path && isAbsolute(path) ? path : null)

function defaultDataDir({ env, home, platform }: Places): string {
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

function readSettingsFile(
  input: { flags: Readonly<Record<string, unknown>>; cwd: string } & Places,
): { path: string; values: Tree } | null {
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
  const values = parseSettings(text, path)
  const parsed = Config.partial({ dataDir: true }).safeParse(values)
  if (!parsed.success) {
    const sources = Object.fromEntries(SETTING_PATHS.map(setting => [setting, `file ${path}`]))
    throw new ConfigError(parsed.error.issues.map(issue => complaint(issue, sources, `file ${path}`)).join('\n'))
  }
  return { path, values }
}

function parseSettings(text: string, path: string): Tree {
  let values: unknown
  try {
    values = parseYaml(text) ?? {}
  } catch (cause) {
    throw new ConfigError(
      `The settings file ${path} is not YAML: ${cause instanceof YAMLParseError ? cause.message : String(cause)}`,
      { cause },
    )
  }
  if (!isTree(values))
    throw new ConfigError(`The settings file ${path} must hold a map of settings, such as "api: { port: 8080 }".`)
  return values
}

const ALLOWED: Record<Kind, string> = {
  text: 'text',
  integer: 'a whole number',
  boolean: 'true or false',
  list: 'names separated by commas',
  pairs: 'name=value pairs separated by commas',
  bytes: 'an amount of bytes such as 500M or 20G',
  duration: 'a duration such as 90s, 30m, 12h or 30d',
}

/** @throws {ConfigError} */
function read({ path, kind }: Setting, text: string, source: Source): unknown {
  const value = readers[kind](text.trim())
  if (value === null) throw new ConfigError(`Cannot use ${path} from ${source}: it must be ${ALLOWED[kind]}.`)
  return value
}

const commas = (text: string): string[] =>
  text
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')

/** How a setting is written where everything is text; null when it is not written so. */
const readers: Record<Kind, (text: string) => unknown> = {
  text: text => text,
  integer: text => (/^-?\d{1,15}$/.test(text) ? Number(text) : null),
  boolean: text => (/^(1|true|yes|on)$/i.test(text) ? true : /^(0|false|no|off)$/i.test(text) ? false : null),
  list: commas,
  pairs: text => {
    const pairs = commas(text).map(part => part.split(/=(.*)/s).slice(0, 2))
    return pairs.every(([name, value]) => name && value !== undefined) ? Object.fromEntries(pairs) : null
  },
  bytes: parseBytes,
  duration: parseDuration,
}

function complaint(issue: z.core.$ZodIssue, sources: Readonly<Record<string, Source>>, otherwise: Source = 'default'): string {
  const path = issue.path.join('.')
  const setting = SETTING_PATHS.find(known => path === known || path.startsWith(`${known}.`))
  const source = setting === undefined ? otherwise : (sources[setting] ?? otherwise)
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map(key => (path ? `${path}.${key}` : key)).join(', ')
    return `There is no setting ${names}, but ${source} gives one. \`skein doctor\` lists all settings.`
  }
  return `Cannot use ${path || 'the settings'} from ${source}: ${issue.message}.`
}

const OLLAMA_PORT = 11_434

/**
 * Reads OLLAMA_HOST as Ollama's own client does: a host, a port, both, or a URL. An address to listen on everywhere means this
 * machine.
 * @throws {ConfigError}
 */
function ollamaUrl(host: string | undefined): string {
  const text = host?.trim() || '127.0.0.1'
  const withScheme = /^https?:\/\//i.test(text) ? text : `http://${/^:\d+$/.test(text) ? '127.0.0.1' : ''}${text}`
  if (!URL.canParse(withScheme)) {
    throw new ConfigError(`Cannot use models.providers from environment OLLAMA_HOST: it must be a host, host:port or URL.`)
  }
  const url = new URL(withScheme)
  if (withScheme !== text && !/:\d+$/.test(text)) url.port = String(OLLAMA_PORT)
  if (url.hostname === '0.0.0.0' || url.hostname === '[::]') url.hostname = '127.0.0.1'
  return url.href.replace(/\/$/, '')
}

/**
 * Providers where skein.yaml names none: Ollama at its usual address, and an OpenAI-compatible one when its variables are set.
 * These variables belong to other programs too, so they shape the default only and never override a list that was written down.
 */
function defaultProviders(env: Environment): { providers: ProviderConfig[]; source: Source } {
  const providers: ProviderConfig[] = [{ kind: 'ollama', id: 'ollama', baseUrl: ollamaUrl(env.OLLAMA_HOST) }]
  if (env.OPENAI_API_KEY || env.OPENAI_BASE_URL) {
    providers.push({
      kind: 'openai-compatible',
      id: 'openai',
      baseUrl: env.OPENAI_BASE_URL || 'https://api.openai.com/v1',
      ...(env.OPENAI_API_KEY ? { apiKeyEnv: 'OPENAI_API_KEY' } : {}),
      models: [],
    })
  }
  const named = ['OLLAMA_HOST', 'OPENAI_API_KEY', 'OPENAI_BASE_URL'].filter(name => env[name])
  return { providers, source: named.length > 0 ? `environment ${named.join(', ')}` : 'default' }
}

/** The key of a provider, or null when it needs none or its variable is not set. */
export function apiKey(provider: ProviderConfig, env: Environment): string | null {
  return provider.kind === 'openai-compatible' && provider.apiKeyEnv ? env[provider.apiKeyEnv] || null : null
}

const SECRET_NAME = /(^|[^a-z])[a-z]*(key|token|secret|password|passwd|passphrase|credential)s?($|[^a-z])|^mysql_pwd$/i
const SHORTEST_SECRET = 8

/**
 * Values of this process' environment that must not leave it: those whose names look like secrets, passwords inside URLs, and
 * the keys of providers whatever their names.
 */
export function secretValues(env: Environment, providers: readonly ProviderConfig[] = []): { name: string; value: string }[] {
  const keys = new Set(providers.map(provider => (provider.kind === 'openai-compatible' ? provider.apiKeyEnv : undefined)))
  const found = Object.entries(env).flatMap(([name, value = '']) => {
    const passwords = urlPasswords(value).map(password => ({ name, value: password }))
    return SECRET_NAME.test(name) || keys.has(name) ? [{ name, value: value.trim() }, ...passwords] : passwords
  })
  return found.filter(({ value }) => value.length >= SHORTEST_SECRET)
}

/** The password of a URL as it is written and as it is meant. */
function urlPasswords(value: string): string[] {
  const written = /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:([^/\s@]+)@/i.exec(value)?.[1]
  if (written === undefined) return []
  try {
    return [...new Set([written, decodeURIComponent(written)])]
  } catch {
    return [written]
  }
}
