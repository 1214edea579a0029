import { css, html, nothing, type TemplateResult } from 'lit'
import { timeOfDay, times } from '../kit/format.ts'
import { isOver, stateMark } from '../kit/state-mark.ts'
import { beginningOf, visible, visibleText } from '../kit/visible.ts'
import type { Entry, Story, ToolStory } from './story.ts'

/** Characters of one text. */
const LONGEST = 20_000
const shownText = (text: string) => visibleText(beginningOf(text, LONGEST))

/** What happened, the oldest first. @param shown how many of the last @param showMore shows earlier ones */
export function renderTimeline(story: Story, shown: number, showMore: () => void): TemplateResult {
  const hidden = Math.max(0, story.entries.length - shown)
  if (story.entries.length === 0) return html`<p class="dim">Nothing has happened yet.</p>`
  return html`
    ${hidden > 0 ? html`<vscode-button secondary @click=${showMore}>Show ${times(hidden, 'earlier entry', 'earlier entries')}</vscode-button>` : nothing}
    <ol class="timeline">
      ${story.entries.slice(hidden).map(
        entry => html`<li>
        <time class="dim" datetime=${entry.at} title=${entry.at}>${timeOfDay(entry.at)}</time>
        <div class="what">${renderEntry(entry)}</div>
      </li>`,
      )}
    </ol>
  `
}

function renderEntry(entry: Entry): TemplateResult {
  switch (entry.kind) {
    case 'state':
      return html`${isOver(entry.to) ? stateMark(entry.to) : html`<span class="dim">${entry.to}</span>`}${entry.failure ? html`<div class="dim">${visible(entry.failure.detail)}</div>` : nothing}`
    case 'message':
      return html`<div class="said">${shownText(entry.text).trim()}</div>`
    case 'thought':
      return html`<details><summary class="dim">Thought</summary><div class="said dim">${shownText(entry.text).trim()}</div></details>`
    case 'note':
      return html`<span class=${entry.tone === 'plain' ? 'dim' : entry.tone}>${visible(entry.text)}</span>`
    case 'tool':
      return renderTool(entry.tool)
  }
}

const TOOL_MARKS: Readonly<Record<ToolStory['status'], readonly [mark: string, tone: string]>> = {
  pending: ['waiting', 'dim'],
  in_progress: ['running', 'dim'],
  completed: ['done', 'good'],
  failed: ['failed', 'bad'],
}

function renderTool(tool: ToolStory): TemplateResult {
  const [mark, tone] = TOOL_MARKS[tool.status]
  const head = html`<span class="kind">${tool.kind}</span> ${visible(tool.title)} <span class=${tone}>${mark}</span>`
  const places = tool.locations.map(({ path, line }) => `${path}${line === null ? '' : `:${line}`}`)
  if (tool.input === null && tool.output === null && tool.diffs.length === 0 && places.length === 0)
    return html`<div>${head}</div>`
  const part = (name: string, text: string | null) =>
    text === null || text === '' ? nothing : html`<h3>${name}</h3><pre>${shownText(text)}</pre>`
  return html`<details>
    <summary>${head}</summary>
    ${part('Files', places.join('\n'))} ${part('Input', tool.input)} ${part('Output', tool.output)}
    ${tool.diffs.map(diff => html`<h3>${visible(diff.path)}</h3><pre>${shownText(diff.newText)}</pre>`)}
  </details>`
}

export const timelineStyles = css`
  .timeline {
    list-style: none;
    margin: 0;
    padding: 0;
  }
  .timeline li {
    border-bottom: 1px solid var(--vscode-panel-border);
    display: flex;
    gap: 14px;
    padding: 6px 0;
  }
  .timeline time {
    flex: none;
    font-variant-numeric: tabular-nums;
  }
  .timeline .what {
    flex: 1;
    min-width: 0;
    overflow-wrap: anywhere;
  }
  .timeline .said {
    white-space: pre-wrap;
  }
  .timeline summary {
    cursor: pointer;
  }
  .timeline h3 {
    color: var(--vscode-descriptionForeground);
    font-size: 0.92em;
    font-weight: 400;
    margin: 8px 0 2px;
  }
  .timeline pre {
    background: var(--vscode-editorWidget-background);
    max-height: 320px;
    overflow: auto;
    padding: 6px 8px;
  }
  .timeline .kind {
    background: var(--vscode-badge-background);
    border-radius: 3px;
    color: var(--vscode-badge-foreground);
    font-size: 0.85em;
    padding: 1px 5px;
  }
`
