import '@vscode-elements/elements/dist/vscode-button/vscode-button.js'
import '@vscode-elements/elements/dist/vscode-progress-ring/vscode-progress-ring.js'
import { css, html, nothing, type PropertyValues, type TemplateResult } from 'lit'
import type { DiffStat, JobId } from '#shared/model/index.ts'
import { bytes, times } from '../kit/format.ts'
import { CallError } from '../kit/host.ts'
import { Page } from '../kit/page.ts'
import { base } from '../kit/styles.ts'
import { beginningOf, visible, visibleText } from '../kit/visible.ts'
import { type PatchFile, type PatchLine, parsePatch } from './patch.ts'

/** A patch past this is not shown here; bytes. */
const LARGEST = 8 * 1024 * 1024
/** Lines of one file that are drawn before somebody asks for all. */
const FIRST_LINES = 500
/** Characters of a line. */
const LONGEST_LINE = 4_000
/** Files that are open at first, so that a small change is seen at once. */
const OPEN_FILES = 5

/** What a job changed, as a diff. */
class Changes extends Page {
  static override properties = {
    ...Page.properties,
    jobId: { attribute: false },
    stat: { attribute: false },
    isOver: { attribute: false },
    files: { state: true },
    size: { state: true },
    open: { state: true },
    whole: { state: true },
  }
  declare jobId: JobId
  declare stat: DiffStat | null
  declare isOver: boolean
  declare files: readonly PatchFile[] | null
  declare size: number
  /** Paths of the files that are unfolded, and of those shown to their end. */
  declare open: ReadonlySet<string>
  declare whole: ReadonlySet<string>

  static override styles = [base, diffStyles()]

  constructor() {
    super()
    this.files = null
    this.size = 0
    this.open = new Set()
    this.whole = new Set()
  }

  protected override start(): void {
    if (this.isOver && this.files === null) void this.load()
  }

  override updated(changed: PropertyValues): void {
    if (changed.has('isOver') && this.isOver && this.files === null) void this.load()
  }

  private async load(): Promise<void> {
    const patch = await this.attempt(async () => {
      try {
        return await this.host.bytes('getDiff', { params: { id: this.jobId } })
      } catch (error) {
        if (error instanceof CallError && error.problem.code === 'no_result') return new Uint8Array()
        throw error
      }
    })
    if (!patch) return
    this.size = patch.length
    this.files = patch.length > LARGEST ? [] : parsePatch(new TextDecoder().decode(patch))
    this.open = new Set(this.files.slice(0, OPEN_FILES).map(({ path }) => path))
  }

  override render(): TemplateResult {
    if (!this.isOver) return html`<p class="dim">There is a diff once the job is over.</p>`
    if (this.failure) return html`${this.renderFailure()}`
    if (this.files === null) return html`<div class="row"><vscode-progress-ring></vscode-progress-ring> Loading the diff…</div>`
    if (this.size > LARGEST)
      return html`<p>The patch is ${bytes(this.size)} long: see it with <code>skein diff ${this.jobId}</code>.</p>
        ${this.stat?.changes.slice(0, FIRST_LINES).map(change => html`<div>${visible(change.path)} <span class="dim">${change.status}</span></div>`)}`
    if (this.files.length === 0) return html`<p class="dim">The job changed no files.</p>`
    const sum = (name: 'insertions' | 'deletions') => (this.files ?? []).reduce((all, file) => all + file[name], 0)
    return html`<p class="row">
        <span class="grow">${times(this.files.length, 'file')}, <span class="good">+${sum('insertions')}</span> <span class="bad">−${sum('deletions')}</span></span>
        ${this.host.commands.has('apply') ? nothing : html`<span class="dim">Take it over with <code>skein apply ${this.jobId}</code></span>`}
      </p>
      ${this.files.map(file => this.renderFile(file))}`
  }

  private renderFile(file: PatchFile): TemplateResult {
    const { path, oldPath, kind, isBinary, insertions, deletions } = file
    const toggled = (event: Event) => {
      const next = new Set(this.open)
      if ((event.target as HTMLDetailsElement).open) next.add(path)
      else next.delete(path)
      if (next.size !== this.open.size) this.open = next
    }
    return html`<details ?open=${this.open.has(path)} @toggle=${toggled}>
      <summary>
        <code>${oldPath === null ? '' : `${visible(oldPath)} → `}${visible(path)}</code>
        <span class="dim">${kind === 'changed' ? '' : kind}${isBinary ? ' binary' : ''}</span>
        <span class="good">+${insertions}</span> <span class="bad">−${deletions}</span>
      </summary>
      ${this.open.has(path) ? this.renderLines(file) : nothing}
    </details>`
  }

  private renderLines({ path, lines, isBinary }: PatchFile): TemplateResult {
    if (lines.length === 0) return html`<p class="dim">${isBinary ? 'A binary file.' : 'Its content is the same.'}</p>`
    const shown = this.whole.has(path) ? lines : lines.slice(0, FIRST_LINES)
    return html`<div class="diff" tabindex="0" role="region" aria-label="Changes of ${visible(path)}">
        <table>
          <tbody>
            ${shown.map(renderLine)}
          </tbody>
        </table>
      </div>
      ${
        shown.length < lines.length
          ? html`<vscode-button secondary @click=${() => (this.whole = new Set([...this.whole, path]))}
              >Show ${times(lines.length - shown.length, 'more line')}</vscode-button
            >`
          : nothing
      }`
  }
}

const MARKS: Readonly<Record<PatchLine['kind'], string>> = { hunk: '', same: ' ', added: '+', removed: '-', note: '' }

const renderLine = ({ kind, text, oldNumber, newNumber }: PatchLine): TemplateResult =>
  html`<tr class=${kind}>
    <td class="number">${oldNumber ?? ''}</td>
    <td class="number">${newNumber ?? ''}</td>
    <td class="code">${MARKS[kind]}${visibleText(beginningOf(text, LONGEST_LINE))}</td>
  </tr>`

function diffStyles() {
  return css`
    details {
      border: 1px solid var(--vscode-panel-border);
      border-radius: 4px;
      margin-bottom: 10px;
    }
    summary {
      background: var(--vscode-editorWidget-background);
      cursor: pointer;
      padding: 6px 10px;
    }
    details > p,
    details > vscode-button {
      margin: 8px 10px;
    }
    .diff {
      overflow-x: auto;
    }
    table {
      font-family: var(--vscode-editor-font-family);
      font-size: var(--vscode-editor-font-size);
      line-height: 1.5;
    }
    td {
      border: 0;
      padding: 0 8px;
    }
    .number {
      color: var(--vscode-editorLineNumber-foreground);
      text-align: end;
      user-select: none;
      width: 1%;
    }
    .code {
      white-space: pre;
    }
    .added {
      background: var(--vscode-diffEditor-insertedTextBackground);
    }
    .removed {
      background: var(--vscode-diffEditor-removedTextBackground);
    }
    .hunk,
    .note {
      color: var(--vscode-descriptionForeground);
    }
    tr.note {
      border: 0;
    }
  `
}

customElements.define('skein-changes', Changes)
