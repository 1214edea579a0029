import type { Ollama, ChatRequest as OllamaRequest } from 'ollama'

/** Ollama's smallest default; a conversation within it fits whatever the server is set to. */
const SMALL = 2_048
/** Windows grow by doubling, because every change of size loads the model again. */
const FIRST = 4_096
/** Tokens left for the answer when the request does not limit it. */
const ANSWER = 1_024
/** Fewer than a tokenizer makes of source code or prose, so that the estimate is rather too large. */
const CHARACTERS_PER_TOKEN = 3
/** What an image counts, as Ollama's own estimate has it (server/prompt.go). */
const TOKENS_PER_IMAGE = 768

type Conversation = Pick<OllamaRequest, 'messages' | 'tools' | 'options'>

/** Tokens a conversation and its answer may take: an upper estimate. */
export function estimateTokens({ messages = [], tools = [], options }: Conversation): number {
  const images = messages.reduce((sum, message) => sum + (message.images?.length ?? 0), 0)
  const text = JSON.stringify([messages.map(({ images: _, ...rest }) => rest), tools]).length
  return Math.ceil(text / CHARACTERS_PER_TOKEN) + images * TOKENS_PER_IMAGE + Math.max(options?.num_predict ?? ANSWER, 0)
}

/**
 * Chooses how large a context window to ask Ollama for. It has one of 4,096 tokens on small machines, and cuts what does not fit from
 * the front, the task first, without a word. So a window that is too small grows, up to what the model was made for; one that is
 * large enough stays as it is.
 * @see https://github.com/ollama/ollama/blob/main/docs/context-length.mdx
 */
export function createWindows() {
  /** What we made of each model's window; asking for anything else would load the model again. */
  const asked = new Map<string, number>()

  return {
    /** @returns `num_ctx`, or undefined for the server's own. @throws what the client throws. */
    async choose(client: Ollama, model: string, conversation: Conversation): Promise<number | undefined> {
      const needed = estimateTokens(conversation)
      const loaded = (await loadedWindow(client, model)) ?? (needed > SMALL ? await load(client, model, asked.get(model)) : null)
      if (loaded === null || loaded >= needed) return asked.get(model)
      const most = await longestWindow(client, model)
      const size = Math.min(FIRST * 2 ** Math.max(0, Math.ceil(Math.log2(needed / FIRST))), most ?? Number.POSITIVE_INFINITY)
      if (size > loaded) asked.set(model, size)
      return asked.get(model)
    },
  }
}

async function loadedWindow(client: Ollama, model: string): Promise<number | null> {
  const { models } = await client.ps()
  const running = models.find(({ name }) => name === model) as { context_length?: number } | undefined
  return running?.context_length ?? null
}

/** Loads the model with the window it would have anyway, to see how large that is: a request without a prompt does no more. */
async function load(client: Ollama, model: string, window: number | undefined): Promise<number | null> {
  await client.generate({ model, prompt: '', ...(window === undefined ? {} : { options: { num_ctx: window } }) })
  return loadedWindow(client, model)
}

/** What the model was made for, from its metadata (`llama.context_length` and the like). */
async function longestWindow(client: Ollama, model: string): Promise<number | null> {
  const { model_info: info } = await client.show({ model })
  const entries = Object.entries(info as unknown as Record<string, unknown>)
  const length = entries.find(([key]) => key.endsWith('.context_length'))?.[1]
  return typeof length === 'number' ? length : null
}
