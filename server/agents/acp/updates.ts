import type { ContentBlock, SessionUpdate, ToolCallContent } from '@agentclientprotocol/sdk'
import type { AgentReport } from '../index.ts'

/** Text arrives token by token; an event each would bury a reader. This much, or the end of a passage, makes one. */
const PASSAGE = 4 * 1024
/** Longest word that is not cut, characters. */
const MAX_WORD = 4 * PASSAGE
/** Longest input and output of a tool that is kept, characters. */
const MAX_TOOL_TEXT = 16 * 1024
const MAX_DIFF_TEXT = 256 * 1024
/** Tool calls remembered, so that what is told of one later finds its title; of more, the oldest is forgotten. */
const MAX_TOOLS = 1_000
/** Longest id, title, path and step of a plan, characters; most places of a tool and steps of a plan. */
const MAX_NAME = 1024
const MAX_ITEMS = 200

type ToolReport = Extract<AgentReport, { type: 'agent.tool' }>
type TextType = 'agent.message' | 'agent.thought'

export interface Sink {
  report(event: AgentReport): void
  log(text: string): void
}

/** Turns what an agent streams into events and a log for people. Keeps what it needs to complete a passage and a tool call. */
export interface Updates {
  take(update: SessionUpdate): void
  /** The agent has ended its turn: what is half said is said. */
  end(): void
}

const cut = (text: string, max: number): string => (text.length <= max ? text : `${text.slice(0, max)}… [cut]`)
/**
 * Where a text may be cut: secrets are struck out of each event by itself, so half a word must not go alone. 0: not yet. A word longer
 * than any secret is cut anywhere.
 */
function endOfWord(text: string): number {
  const last = Math.max(text.lastIndexOf(' '), text.lastIndexOf('\n')) + 1
  return last > 0 || text.length < MAX_WORD ? last : text.length
}
const textOf = (block: ContentBlock): string => (block.type === 'text' ? block.text : `[${block.type}]`)

export function createUpdates(sink: Sink): Updates {
  let passage: { type: TextType; text: string } | null = null
  const tools = new Map<string, ToolReport>()

  function finishPassage(): void {
    if (passage && passage.text !== '') {
      sink.report(passage)
      if (passage.type === 'agent.message' && !passage.text.endsWith('\n')) sink.log('\n')
    }
    passage = null
  }

  function takeText(type: TextType, text: string): void {
    if (passage?.type !== type) finishPassage()
    passage = { type, text: (passage?.text ?? '') + text }
    if (type === 'agent.message') sink.log(text)
    if (passage.text.length < PASSAGE) return
    const end = endOfWord(passage.text)
    if (end === 0) return
    sink.report({ type, text: passage.text.slice(0, end) })
    // The same passage goes on in the next event, so no line end is added to the log.
    passage = { type, text: passage.text.slice(end) }
  }

  function takeTool(update: Extract<SessionUpdate, { sessionUpdate: 'tool_call' | 'tool_call_update' }>): void {
    finishPassage()
    const toolCallId = cut(update.toolCallId, MAX_NAME)
    const known = tools.get(toolCallId)
    const content = update.content ?? []
    const said = content.flatMap(part => (part.type === 'content' ? [textOf(part.content)] : [])).join('\n')
    const tool: ToolReport = {
      type: 'agent.tool',
      toolCallId,
      title: cut(update.title ?? known?.title ?? 'tool', MAX_NAME),
      kind: update.kind ?? known?.kind ?? 'other',
      status: update.status ?? known?.status ?? 'pending',
      input: update.rawInput === undefined ? (known?.input ?? null) : cut(JSON.stringify(update.rawInput), MAX_TOOL_TEXT),
      output: said === '' ? (known?.output ?? null) : cut(said, MAX_TOOL_TEXT),
      locations:
        update.locations?.slice(0, MAX_ITEMS).map(({ path, line }) => ({ path: cut(path, MAX_NAME), line: line ?? null })) ??
        known?.locations ??
        [],
    }
    tools.delete(toolCallId)
    tools.set(toolCallId, tool)
    const [oldest] = tools.keys()
    if (tools.size > MAX_TOOLS && oldest !== undefined) tools.delete(oldest)
    if (JSON.stringify(known) === JSON.stringify(tool)) return
    sink.report(tool)
    if (tool.title !== known?.title) sink.log(`▸ ${tool.title}\n`)
    if (tool.status !== known?.status && (tool.status === 'completed' || tool.status === 'failed')) {
      if (tool.output) sink.log(`${tool.output}\n`)
      if (tool.status === 'failed') sink.log('  failed\n')
    }
    reportDiffs(toolCallId, content)
  }

  function reportDiffs(toolCallId: string, content: readonly ToolCallContent[]): void {
    for (const part of content) {
      if (part.type !== 'diff') continue
      const oldText = part.oldText == null ? null : cut(part.oldText, MAX_DIFF_TEXT)
      sink.report({
        type: 'agent.diff',
        toolCallId,
        path: cut(part.path, MAX_NAME),
        oldText,
        newText: cut(part.newText, MAX_DIFF_TEXT),
      })
    }
  }

  return {
    take(update) {
      switch (update.sessionUpdate) {
        case 'agent_message_chunk':
          return takeText('agent.message', textOf(update.content))
        case 'agent_thought_chunk':
          return takeText('agent.thought', textOf(update.content))
        case 'tool_call':
        case 'tool_call_update':
          return takeTool(update)
        case 'plan':
          finishPassage()
          return sink.report({
            type: 'agent.plan',
            entries: update.entries
              .slice(0, MAX_ITEMS)
              .map(({ content, status, priority }) => ({ content: cut(content, MAX_NAME), status, priority })),
          })
        case 'usage_update':
          return sink.report({
            type: 'agent.usage',
            usedTokens: update.used,
            contextTokens: update.size,
            costUsd: update.cost?.currency === 'USD' ? update.cost.amount : null,
          })
        default:
          // Commands, modes and titles are for an editor that shows the session itself.
          return
      }
    },
    end: finishPassage,
  }
}
