import type { Config } from '#shared/model/index.ts'

const LOOPBACK_NAME = /^(localhost|[a-z0-9.-]+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/
const WILDCARDS = new Set(['', '0.0.0.0', '::', '[::]'])

const bracketed = (host: string): string => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host)

/** Who may address this node and from which web pages. */
export interface OriginRules {
  /**
   * Whether a Host header names this node. A page that points its own name at 127.0.0.1 (DNS rebinding) makes the browser send
   * that name here, so names that are not ours are refused. The port is not looked at: forwarding may change it.
   */
  host(header: string | undefined): boolean
  /** Whether pages of that origin may call: those listed, and those this node serves itself under the same host and port. */
  origin(origin: string, host: string | undefined): boolean
}

export function originRules(config: Pick<Config['api'], 'host' | 'allowedHosts' | 'corsAllowedOrigins'>): OriginRules {
  const hosts = new Set(config.allowedHosts.map(host => bracketed(host.toLowerCase())))
  if (!WILDCARDS.has(config.host)) hosts.add(bracketed(config.host.toLowerCase()))
  const origins = new Set(config.corsAllowedOrigins.map(origin => origin.toLowerCase().replace(/\/$/, '')))

  const host = (header: string | undefined): boolean => {
    const name = header?.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '')
    return name !== undefined && (LOOPBACK_NAME.test(name) || hosts.has(name))
  }
  return {
    host,
    origin: (origin, header) =>
      origins.has('*') ||
      origins.has(origin.toLowerCase()) ||
      (host(header) && (origin === `http://${header}` || origin === `https://${header}`)),
  }
}

/** Headers that let a page of an allowed origin read an answer. Credentials are not allowed: tokens travel in a header. */
export const corsHeaders = (origin: string): Record<string, string> => ({
  'access-control-allow-origin': origin,
  'access-control-expose-headers': 'retry-after, skein-log-size, www-authenticate',
  'cross-origin-resource-policy': 'cross-origin',
  vary: 'Origin',
})

/** What a preflight is told. @param wantsPrivate the browser asks because this node is on a more private network than the page. */
export const preflightHeaders = (methods: readonly string[], wantsPrivate: boolean): Record<string, string> => ({
  'access-control-allow-methods': methods.join(', '),
  'access-control-allow-headers': 'authorization, content-type, idempotency-key, last-event-id',
  'access-control-max-age': '600',
  ...(wantsPrivate ? { 'access-control-allow-private-network': 'true' } : {}),
})
