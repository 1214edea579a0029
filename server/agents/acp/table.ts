/** How an agent is told of the job's model endpoint. */
export interface ModelAccess {
  readonly baseUrl: string
  readonly token: string
  readonly model: string
}

/** One agent that speaks the Agent Client Protocol. */
export interface AcpEntry {
  readonly id: string
  readonly title: string
  readonly command: string
  readonly args: readonly string[]
  /** How to get it. */
  readonly install: string
  /** Environment that points it at an OpenAI-compatible endpoint; null when it talks to its own vendor only. */
  readonly env: ((access: ModelAccess) => Readonly<Record<string, string>>) | null
}

/** Where an agent has its own ways to a vendor, it would need that vendor's key inside the sandbox, and keys do not go there. */
const OWN_VENDOR = null

export const ACP_AGENTS: readonly AcpEntry[] = [
  {
    id: 'opencode',
    title: 'OpenCode',
    command: 'opencode',
    args: ['acp'],
    install: 'npm install --global opencode-ai',
    env: openCodeEnvironment,
  },
  {
    id: 'goose',
    title: 'Goose',
    command: 'goose',
    args: ['acp'],
    install: 'See https://block.github.io/goose/docs/getting-started/installation',
    env: ({ baseUrl, token, model }) => ({
      GOOSE_PROVIDER: 'openai',
      GOOSE_MODEL: model,
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
    env: ({ baseUrl, token, model }) => ({ OPENAI_BASE_URL: baseUrl, OPENAI_API_KEY: token, OPENAI_MODEL: model }),
  },
  {
    id: 'claude',
    title: 'Claude Code',
    command: 'claude-agent-acp',
    args: [],
    install: 'npm install --global @agentclientprotocol/claude-agent-acp',
    env: OWN_VENDOR,
  },
  {
    id: 'codex',
    title: 'Codex',
    command: 'codex-acp',
    args: [],
    install: 'npm install --global @agentclientprotocol/codex-acp',
    env: OWN_VENDOR,
  },
  {
    id: 'gemini',
    title: 'Gemini CLI',
    command: 'gemini',
    args: ['--acp'],
    install: 'npm install --global @google/gemini-cli',
    env: OWN_VENDOR,
  },
  {
    id: 'copilot',
    title: 'GitHub Copilot CLI',
    command: 'copilot',
    args: ['--acp', '--stdio'],
    install: 'npm install --global @github/copilot',
    env: OWN_VENDOR,
  },
]

/** https://opencode.ai/docs/config: one provider, whose adapter is part of the program, and nothing fetched at start. */
function openCodeEnvironment({ baseUrl, token, model }: ModelAccess): Record<string, string> {
  const provider = {
    npm: '@ai-sdk/openai-compatible',
    name: 'Skein',
    options: { baseURL: baseUrl, apiKey: token },
    models: { [model]: { name: model, tool_call: true } },
  }
  const config = {
    provider: { skein: provider },
    enabled_providers: ['skein'],
    model: `skein/${model}`,
    small_model: `skein/${model}`,
    autoupdate: false,
    share: 'disabled',
  }
  return {
    OPENCODE_CONFIG_CONTENT: JSON.stringify(config),
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    OPENCODE_DISABLE_MODELS_FETCH: '1',
    OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
    OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
  }
}
