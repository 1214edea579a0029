import '@vscode-elements/elements/dist/vscode-button/vscode-button.js'
import '@vscode-elements/elements/dist/vscode-textfield/vscode-textfield.js'
import { html, LitElement, nothing, type TemplateResult } from 'lit'
import type { JobId } from '#shared/model/index.ts'
import { bytes, times } from '../kit/format.ts'
import { oncePerFrame } from '../kit/frame.ts'
import type { Host } from '../kit/host.ts'
import { isFlag, isText, keep, kept } from '../kit/kept.ts'
import { base } from '../kit/styles.ts'
import { visible } from '../kit/visible.ts'
import { logStyles } from './log-styles.ts'
import { rowContent } from './row.ts'
import { createRows, type RowContent } from './rows.ts'
import { MOST_MATCHES, neighbour } from './search.ts'
import { runSearch, type SearchRun } from './search-run.ts'
import { BLOCK_BYTES, createLogStore, type LogStore } from './store.ts'
import { scrollTo, windowOf } from './window.ts'

/** Blocks of a log that stay in memory: 32 MiB. */
const MAX_BLOCKS = 32
const ROW_HEIGHT = 18

/** The log of a job, live: only the rows that are seen are drawn, whatever its length. */
class LogView extends LitElement {
  static override properties = {
    host: { attribute: false },
    jobId: { attribute: false },
    isFollowing: { state: true },
    isOver: { state: true },
    query: { state: true },
    failure: { state: true },
  }
  declare host: Host
  declare jobId: JobId
  declare isFollowing: boolean
  declare isOver: boolean
  declare query: string
  declare failure: string
  private store: LogStore = createLogStore({ maxBlocks: MAX_BLOCKS })
  private search: SearchRun | null = null
  /** The line that a search went to last. */
  private current = -1
  private unsubscribe = () => {}
  private readonly fetching = new Map<number, Promise<void>>()
  private rows: ReturnType<typeof createRows> | null = null
  private readonly drawing = oncePerFrame(() => this.draw())
  private readonly resized = new ResizeObserver(() => this.drawing.ask())
  private lastTop = 0

  static override styles = [base, logStyles]

  constructor() {
    super()
    this.isFollowing = true
    this.isOver = false
    this.query = ''
    this.failure = ''
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.isFollowing = kept(this.host, 'log.follow', true, isFlag)
    this.query = kept(this.host, 'log.query', '', isText)
    this.store = createLogStore({ maxBlocks: MAX_BLOCKS })
    this.unsubscribe = this.host.subscribe({ name: 'log', jobId: this.jobId }, 0, item => {
      if (item.type === 'log') this.store.append(item.bytes)
      else if (item.type === 'end') this.isOver = true
      else if (item.type === 'error') this.failure = item.problem.detail
      this.search?.more()
      this.drawing.ask()
    })
    this.startSearch()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.unsubscribe()
    this.search?.stop()
    this.drawing.cancel()
    this.resized.disconnect()
  }

  override firstUpdated(): void {
    this.resized.observe(this.viewport)
  }

  private get viewport(): HTMLElement {
    return this.renderRoot.querySelector('.viewport') as HTMLElement
  }

  private shape() {
    return { height: this.viewport.clientHeight, rowHeight: ROW_HEIGHT, count: this.store.count }
  }

  /** Draws the rows that are seen, and the figures beside them. */
  private draw(): void {
    const { viewport } = this
    const rows = this.renderRoot.querySelector('.rows') as HTMLElement
    this.rows ??= createRows(rows)
    const space = this.renderRoot.querySelector('.space') as HTMLElement
    space.style.height = `${windowOf({ ...this.shape(), scrollTop: 0 }).total}px`
    if (this.isFollowing) {
      viewport.scrollTop = viewport.scrollHeight
      this.lastTop = viewport.scrollTop
    }
    const window_ = windowOf({ ...this.shape(), scrollTop: viewport.scrollTop })
    rows.style.translate = `0 ${window_.top}px`
    rows.style.setProperty('--digits', String(Math.max(4, String(this.store.count).length)))
    const texts = this.store.texts(window_.first, window_.end)
    this.rows.show(window_.first, window_.end, line =>
      this.rowOf(line, texts === null ? this.store.text(line) : (texts[line - window_.first] ?? null)),
    )
    const missing = this.store.missing(window_.first, window_.end)
    if (missing.length > 0) void this.fetchBlocks(missing).then(this.drawing.ask, this.drawing.ask)
    this.figures()
  }

  private rowOf(line: number, text: string | null): RowContent {
    const style = this.store.styleAt(line)
    const isCurrent = line === this.current
    return {
      key: [style, isCurrent, this.query, text].join('\0'),
      isCurrent,
      fill: row => row.replaceChildren(text === null ? '…' : rowContent(document, text, style, this.query)),
    }
  }

  /** Written past the template: they change with every frame. */
  private figures(): void {
    const put = (name: string, text: string) => {
      const element = this.renderRoot.querySelector(name)
      if (element && element.textContent !== text) element.textContent = text
    }
    const { matches = [], done = 0 } = this.search ?? {}
    put('.size', `${times(this.store.count, 'line')}, ${bytes(this.store.size)}`)
    const isDone = done >= this.store.count - 1
    const found =
      matches.length >= MOST_MATCHES
        ? `more than ${times(MOST_MATCHES, 'match', 'matches')}`
        : times(matches.length, 'match', 'matches')
    put('.found', this.query === '' ? '' : isDone ? found : `${found}, searching…`)
  }

  /** Blocks that were let go are read again from the node. */
  private async fetchBlocks(blocks: readonly number[]): Promise<void> {
    const one = async (block: number) => {
      const input = { params: { id: this.jobId }, query: { offset: block * BLOCK_BYTES, limit: BLOCK_BYTES } }
      this.store.restore(block, await this.host.bytes('readLog', input))
    }
    const begin = (block: number) => {
      const there = this.fetching.get(block) ?? one(block).finally(() => this.fetching.delete(block))
      this.fetching.set(block, there)
      return there
    }
    await Promise.all(blocks.map(begin))
  }

  private scrolled(): void {
    const { viewport } = this
    const isAtEnd = viewport.scrollTop + viewport.clientHeight >= viewport.scrollHeight - 2
    // Only a person scrolls up.
    if (this.isFollowing && viewport.scrollTop < this.lastTop - 1 && !isAtEnd) this.follow(false)
    else if (!this.isFollowing && isAtEnd && viewport.scrollTop > this.lastTop && !this.isOver) this.follow(true)
    this.lastTop = viewport.scrollTop
    this.drawing.ask()
  }

  private follow(isFollowing: boolean): void {
    this.isFollowing = isFollowing
    keep(this.host, 'log.follow', isFollowing)
    this.drawing.ask()
  }

  private setQuery(query: string): void {
    this.query = query
    keep(this.host, 'log.query', query)
    this.startSearch()
  }

  private startSearch(): void {
    this.search?.stop()
    this.current = -1
    this.search =
      this.query === '' ? null : runSearch(this.store, this.query, blocks => this.fetchBlocks(blocks), this.drawing.ask)
    if (this.hasUpdated) this.drawing.ask()
  }

  private go(direction: 1 | -1): void {
    const { matches = [] } = this.search ?? {}
    const from = this.current >= 0 ? this.current : Math.floor(this.viewport.scrollTop / ROW_HEIGHT) - 1
    const line = matches[neighbour(matches, from, direction)]
    if (line === undefined) return
    this.current = line
    this.follow(false)
    this.viewport.scrollTop = scrollTo(line, this.shape())
    this.lastTop = this.viewport.scrollTop
  }

  private searchKey(event: KeyboardEvent): void {
    if (event.key === 'Enter') this.go(event.shiftKey ? -1 : 1)
    else if (event.key === 'Escape') this.setQuery('')
  }

  /** As in a terminal: Ctrl+F searches the whole log, of which the browser sees a screen. */
  private key(event: KeyboardEvent): void {
    if (event.key !== 'f' || !(event.ctrlKey || event.metaKey)) return
    event.preventDefault()
    this.renderRoot.querySelector<HTMLElement>('vscode-textfield')?.focus()
  }

  override render(): TemplateResult {
    return html`
      <div class="row tools" @keydown=${this.key}>
        <vscode-textfield
          type="search"
          .label=${'Search in the log'}
          placeholder="Search"
          .value=${this.query}
          @input=${(event: Event) => this.setQuery((event.target as HTMLInputElement).value)}
          @keydown=${this.searchKey}
        ></vscode-textfield>
        <vscode-button secondary aria-label="Match before" @click=${() => this.go(-1)}>↑</vscode-button>
        <vscode-button secondary aria-label="Next match" @click=${() => this.go(1)}>↓</vscode-button>
        <span class="found dim" role="status"></span>
        <span class="grow"></span>
        <span class="size dim"></span>
        ${
          this.isOver
            ? html`<span class="dim">complete</span>`
            : html`<vscode-button secondary aria-pressed=${this.isFollowing} @click=${() => this.follow(!this.isFollowing)}
                >${this.isFollowing ? 'Following' : 'Follow'}</vscode-button
              >`
        }
      </div>
      ${this.failure === '' ? nothing : html`<div class="note bad" role="alert">${visible(this.failure)}</div>`}
      <div class="viewport" role="region" aria-label="Log" tabindex="0" @scroll=${this.scrolled} @keydown=${this.key}>
        <div class="space"></div>
        <div class="rows"></div>
      </div>
    `
  }
}

customElements.define('skein-log', LogView)
