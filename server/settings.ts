import * as z from 'zod'
import { parseBytes, parseDuration } from '#server/lib/units.ts'
import { Config } from '#shared/model/index.ts'

/** Environment variables; an empty one counts as not set. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Where a setting came from: `flag --port`, `environment API_PORT`, `file /…/skein.yaml` or `default`. */
export type Source = string

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
  { path: 'web.port', env: 'WEB_PORT', kind: 'integer' },
  { path: 'node.name', env: 'SKEIN_NODE_NAME', flag: '--name', kind: 'text' },
  { path: 'node.concurrency', env: 'SKEIN_CONCURRENCY', flag: '--concurrency', kind: 'integer' },
  { path: 'node.labels', env: 'SKEIN_LABELS', kind: 'pairs' },
  { path: 'node.allowNoSandbox', env: 'SKEIN_ALLOW_NO_SANDBOX', kind: 'boolean' },
  { path: 'storage.budgetBytes', env: 'SKEIN_STORAGE_BUDGET', kind: 'bytes' },
  { path: 'storage.reserveBytes', env: 'SKEIN_STORAGE_RESERVE', kind: 'bytes' },
  { path: 'storage.keepEndedMs', env: 'SKEIN_KEEP_ENDED', kind: 'duration' },
  { path: 'jobs.graceMs', env: 'SKEIN_GRACE', kind: 'duration' },
  { path: 'jobs.networkAllow', env: 'SKEIN_NETWORK_ALLOW', kind: 'list' },
  { path: 'executors.container.socket', env: 'SKEIN_CONTAINER_SOCKET', kind: 'text' },
  { path: 'executors.container.image', env: 'SKEIN_CONTAINER_IMAGE', kind: 'text' },
  { path: 'executors.container.tree', env: 'SKEIN_CONTAINER_TREE', kind: 'text' },
  { path: 'executors.container.network', env: 'SKEIN_CONTAINER_NETWORK', kind: 'text' },
  { path: 'executors.kubernetes.enabled', env: 'SKEIN_KUBERNETES', kind: 'boolean' },
  { path: 'tailscale.socket', env: 'SKEIN_TAILSCALE_SOCKET', kind: 'text' },
  { path: 'tailscale.port', env: 'SKEIN_TAILSCALE_PORT', kind: 'integer' },
  { path: 'log.level', env: 'SKEIN_LOG_LEVEL', flag: '--log-level', kind: 'text' },
]

/** Every leaf of the schema by dotted path, so that a new setting is told of by doctor without being listed anywhere. */
export const settingPaths = (): readonly string[] => leaves(Config, '')

function leaves(schema: z.ZodType, prefix: string): string[] {
  const inner = unwrap(schema)
  if (!(inner instanceof z.ZodObject)) return [prefix]
  return Object.entries(inner.shape).flatMap(([key, value]) => leaves(value as z.ZodType, prefix ? `${prefix}.${key}` : key))
}

function unwrap(schema: z.ZodType): z.ZodType {
  const isWrapped =
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodLazy
  return isWrapped ? unwrap(schema.unwrap() as z.ZodType) : schema
}

export type Tree = Record<string, unknown>
export const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Value at a dotted path of a document, or undefined. */
export function lookup(document: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((at, key) => (isTree(at) ? at[key] : undefined), document)
}

/** Sets the value at a dotted path, making what is missing on the way. */
export function assign(document: Tree, path: string, value: unknown): void {
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
export function readSetting({ path, kind }: Setting, text: string, source: Source): unknown {
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

/** An issue of the schema as a sentence: the setting, where it came from, and what is allowed. */
export function complaint(issue: z.core.$ZodIssue, sourceOf: (path: string) => Source): string {
  const path = issue.path.join('.')
  const source = sourceOf(settingPaths().find(known => path === known || path.startsWith(`${known}.`)) ?? path)
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map(key => (path ? `${path}.${key}` : key)).join(', ')
    return `There is no setting ${names}, but ${source} gives one. \`skein doctor\` lists all settings.`
  }
  return `Cannot use ${path || 'the settings'} from ${source}: ${issue.message}.`
}
