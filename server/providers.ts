import type { ProviderConfig } from '#shared/model/index.ts'
import { ConfigError, type Environment, type Source } from './settings.ts'

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
export function defaultProviders(env: Environment): { providers: ProviderConfig[]; source: Source } {
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

/** The key of a provider, or null when it needs none or its variable is not set. Files that fill variables often end in a line end. */
export function apiKey(provider: ProviderConfig, env: Environment): string | null {
  return provider.kind === 'openai-compatible' && provider.apiKeyEnv ? env[provider.apiKeyEnv]?.trim() || null : null
}
