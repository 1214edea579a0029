import type { ProviderConfig } from '#shared/model/index.ts'
import type { Environment } from './settings.ts'

const SECRET_NAME = /(^|[^a-z])[a-z]*(key|token|secret|password|passwd|passphrase|credential)s?($|[^a-z])/i
/** Words that mean a secret only where they end a name, and only by themselves: not SSH_AUTH_SOCK, BYPASS or PWD. */
const SECRET_END = /_(pass|pwd|pat|auth|private|jwt)$|^(pass|jwt)$/i
const SHORTEST_SECRET = 8

/**
 * Values of this process' environment that must not leave it: those whose names look like secrets, passwords inside URLs, and
 * the keys of providers whatever their names.
 */
export function secretValues(env: Environment, providers: readonly ProviderConfig[] = []): { name: string; value: string }[] {
  const keys = new Set(providers.map(provider => (provider.kind === 'openai-compatible' ? provider.apiKeyEnv : undefined)))
  const found = Object.entries(env).flatMap(([name, value = '']) => {
    const passwords = urlPasswords(value).map(password => ({ name, value: password }))
    return SECRET_NAME.test(name) || SECRET_END.test(name) || keys.has(name)
      ? [{ name, value: value.trim() }, ...passwords]
      : passwords
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
