import type { PermissionPolicy } from '#shared/model/index.ts'

/** How an agent is told of the job's model endpoint, and whether somebody wants to be asked. */
export interface ModelAccess {
  /** Ends in /v1. */
  readonly baseUrl: string
  readonly token: string
  readonly model: string
  readonly policy: PermissionPolicy
}

/** Ways of asking a model, by their vendors' names. */
const DIALECTS = {
  chat: 'OpenAI chat completions',
  responses: 'the OpenAI Responses API',
  messages: 'the Anthropic Messages API',
  gemini: 'the Gemini API',
} as const
export type Dialect = keyof typeof DIALECTS

/** What the gateway of a job answers. */
const SPOKEN: ReadonlySet<Dialect> = new Set<Dialect>(['chat'])

/** One agent that speaks the Agent Client Protocol. */
export interface AcpEntry {
  readonly id: string
  readonly title: string
  readonly command: string
  readonly args: readonly string[]
  /** How to get it. */
  readonly install: string
  readonly dialect: Dialect
  /** Environment that points it at an endpoint of its dialect, and makes it ask where it would not. */
  readonly env: (access: ModelAccess) => Readonly<Record<string, string>>
}

/** In the order in which `auto` tries them. Each was started with these arguments and seen to send its question to the endpoint given. */
export const ACP_AGENTS: readonly AcpEntry[] = [
  {
    id: 'opencode',
    title: 'OpenCode',
    command: 'opencode',
    args: ['acp'],
    install: 'npm install --global opencode-ai',
    dialect: 'chat',
    env: openCodeEnvironment,
  },
  {
    id: 'goose',
    title: 'Goose',
    command: 'goose',
    args: ['acp'],
    install: 'See https://block.github.io/goose/docs/getting-started/installation',
    dialect: 'chat',
    env: ({ baseUrl, token, model, policy }) => ({
      GOOSE_PROVIDER: 'openai',
      GOOSE_MODEL: model,
      GOOSE_MODE: policy === 'allow' ? 'auto' : 'approve',
      GOOSE_DISABLE_KEYRING: '1',
      OPENAI_HOST: new URL(baseUrl).origin,
      OPENAI_BASE_PATH: `${new URL(baseUrl).pathname.slice(1)}/chat/completions`,
      OPENAI_API_KEY: token,
    }),
  },
  {
    id: 'qwen',
    title: 'Qwen Code',
    command: 'qwen',
    args: ['--acp'],
    install: 'npm install --global @qwen-code/qwen-code',
    dialect: 'chat',
    env: ({ baseUrl, token, model }) => ({ OPENAI_BASE_URL: baseUrl, OPENAI_API_KEY: token, OPENAI_MODEL: model }),
  },
  {
    id: 'copilot',
    title: 'GitHub Copilot CLI',
    command: 'copilot',
    args: ['--acp', '--stdio'],
    install: 'npm install --global @github/copilot',
    dialect: 'chat',
    env: ({ baseUrl, token, model }) => ({
      COPILOT_PROVIDER_TYPE: 'openai',
      COPILOT_PROVIDER_BASE_URL: baseUrl,
      COPILOT_PROVIDER_API_KEY: token,
      COPILOT_MODEL: model,
      COPILOT_OFFLINE: 'true',
    }),
  },
  {
    id: 'claude',
    title: 'Claude Code',
    command: 'claude-agent-acp',
    args: [],
    install: 'npm install --global @agentclientprotocol/claude-agent-acp',
    dialect: 'messages',
    env: ({ baseUrl, token, model }) => ({
      ANTHROPIC_BASE_URL: new URL(baseUrl).origin,
      ANTHROPIC_AUTH_TOKEN: token,
      ANTHROPIC_MODEL: model,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    }),
  },
  {
    id: 'codex',
    title: 'Codex',
    command: 'codex-acp',
    args: [],
    install: 'npm install --global @agentclientprotocol/codex-acp',
    dialect: 'responses',
    env: codexEnvironment,
  },
  {
    id: 'gemini',
    title: 'Gemini CLI',
    command: 'gemini',
    args: ['--acp'],
    install: 'npm install --global @google/gemini-cli',
    dialect: 'gemini',
    env: ({ baseUrl, token, model }) => ({
      GOOGLE_GEMINI_BASE_URL: new URL(baseUrl).origin,
      GEMINI_API_KEY: token,
      GEMINI_MODEL: model,
    }),
  },
]

/** Why an agent that is here cannot work: the gateway does not speak its dialect, and its vendor's key does not enter a sandbox. */
export function obstacle({ title, dialect }: AcpEntry): string | null {
  if (SPOKEN.has(dialect)) return null
  return `${title} asks models by ${DIALECTS[dialect]}, which the gateway of a job does not speak, and keys of its vendor do not enter a sandbox.`
}

/** https://opencode.ai/docs/config: one provider, whose adapter is part of the program, and nothing fetched at start. */
function openCodeEnvironment({ baseUrl, token, model, policy }: ModelAccess): Record<string, string> {
  const provider = {
    npm: '@ai-sdk/openai-compatible',
    name: 'Skein',
    options: { baseURL: baseUrl, apiKey: token },
    models: { [model]: { name: model, tool_call: true } },
  }
  // By itself it edits and runs without asking.
  const action = policy === 'allow' ? 'allow' : 'ask'
  const config = {
    provider: { skein: provider },
    enabled_providers: ['skein'],
    model: `skein/${model}`,
    small_model: `skein/${model}`,
    permission: { edit: action, bash: action, webfetch: action },
    autoupdate: false,
    share: 'disabled',
  }
  return {
    OPENCODE_CONFIG_CONTENT: JSON.stringify(config),
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    OPENCODE_DISABLE_MODELS_FETCH: '1',
    OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
    OPENCODE_PURE: '1',
    OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
  }
}

/** Merged into Codex's own configuration; https://developers.openai.com/codex/config-reference. */
function codexEnvironment({ baseUrl, token, model }: ModelAccess): Record<string, string> {
  const provider = { name: 'Skein', base_url: baseUrl, env_key: 'CODEX_API_KEY', wire_api: 'responses' }
  return {
    CODEX_API_KEY: token,
    MODEL_PROVIDER: 'skein',
    CODEX_CONFIG: JSON.stringify({ model, model_providers: { skein: provider } }),
  }
}
