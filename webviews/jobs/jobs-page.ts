import '@vscode-elements/elements/dist/vscode-button/vscode-button.js'
import '@vscode-elements/elements/dist/vscode-option/vscode-option.js'
import '@vscode-elements/elements/dist/vscode-progress-ring/vscode-progress-ring.js'
import '@vscode-elements/elements/dist/vscode-single-select/vscode-single-select.js'
import '@vscode-elements/elements/dist/vscode-textfield/vscode-textfield.js'
import '../submit/submit-dialog.ts'
import { css, html, nothing, type TemplateResult } from 'lit'
import type { JobEvent, JobId, JobSummary } from '#shared/model/index.ts'
import { ago, baseName, duration } from '../kit/format.ts'
import { oncePerFrame, oneAfterAnother } from '../kit/frame.ts'
import { isText, keep, kept } from '../kit/kept.ts'
import { newestEvent } from '../kit/newest-event.ts'
import { Page } from '../kit/page.ts'
import { toHash } from '../kit/route-hash.ts'
import { stateMark, stateStyles } from '../kit/state-mark.ts'
import { base } from '../kit/styles.ts'
import { visible } from '../kit/visible.ts'
import type { SubmitDialog } from '../submit/submit-dialog.ts'
import {
  EMPTY,
  type JobList,
  matching,
  queryOf,
  type StateFilter,
  summaryOf,
  unknownIn,
  withEvent,
  withJob,
  withPage,
} from './job-list.ts'

const PAGE_SIZE = 50
/** Between two times that the list is asked for, however much happens, ms. */
const REFRESH_MS = 250
/** Jobs that are asked for one by one. */
const MOST_SINGLE = 20
const FILTERS: readonly (readonly [StateFilter, string])[] = [
  ['all', 'All states'],
  ['active', 'Active'],
  ['queued', 'Queued'],
  ['running', 'Running'],
  ['checking', 'Checking'],
  ['succeeded', 'Succeeded'],
  ['failed', 'Failed'],
  ['cancelled', 'Cancelled'],
]
const isFilter = (value: unknown): value is StateFilter => FILTERS.some(([name]) => name === value)

/** The jobs of a node, as they are now. */
class JobsPage extends Page {
  static override properties = {
    ...Page.properties,
    list: { state: true },
    isLoading: { state: true },
    filter: { state: true },
    text: { state: true },
  }
  declare list: JobList
  declare isLoading: boolean
  declare filter: StateFilter
  declare text: string
  private abort = new AbortController()
  private arrived: JobEvent[] = []
  /** Jobs that events told of and the list does not have. */
  private unknown: readonly JobId[] = []
  private readonly taking = oncePerFrame(() => this.takeEvents())
  private readonly refreshing = oneAfterAnother(() => this.refresh(), REFRESH_MS)

  static override styles = [base, stateStyles, styles()]

  constructor() {
    super()
    this.list = EMPTY
    this.isLoading = true
    this.filter = 'all'
    this.text = ''
  }

  protected override start(): void {
    this.filter = kept(this.host, 'jobs.filter', 'all', isFilter)
    this.text = kept(this.host, 'jobs.text', '', isText)
    this.host.setTitle('Jobs')
    this.abort = new AbortController()
    this.endWith(() => this.abort.abort())
    this.endWith(this.taking.cancel)
    this.endWith(this.refreshing.cancel)
    const tick = setInterval(() => this.requestUpdate(), 1000)
    this.endWith(() => clearInterval(tick))
    void this.begin()
  }

  /** Every event since the newest job was made, asked for before the list is: so nothing falls between. */
  private async begin(): Promise<void> {
    const cursor = await this.attempt(() => newestEvent(this.host, this.abort.signal))
    if (cursor !== undefined) await this.load(false)
    if (cursor === undefined || this.failure || this.abort.signal.aborted) return
    this.endWith(
      this.host.subscribe({ name: 'jobs' }, cursor, item => {
        if (item.type !== 'event') return
        this.arrived.push(item.event)
        this.taking.ask()
      }),
    )
  }

  private async load(isNext: boolean): Promise<void> {
    this.isLoading = true
    const cursor = isNext ? (this.list.nextCursor ?? undefined) : undefined
    const query = { ...queryOf(this.filter), limit: PAGE_SIZE, ...(cursor === undefined ? {} : { cursor }) }
    const page = await this.attempt(() => this.host.call('listJobs', { query }, this.abort.signal))
    if (page) this.list = withPage(this.list, page, isNext)
    this.isLoading = false
  }

  private takeEvents(): void {
    const events = this.arrived.splice(0)
    for (const event of events) this.list = withEvent(this.list, event)
    // Of older jobs that are not loaded nothing is shown, so nothing is asked.
    const oldest = this.list.nextCursor === null ? '' : (this.list.items.at(-1)?.id ?? '')
    const unknown = unknownIn(this.list, events, this.filter).filter(id => id > oldest)
    if (unknown.length === 0) return
    this.unknown = [...this.unknown, ...unknown]
    this.refreshing.ask()
  }

  /** Asks for jobs that are new here: nearly always the newest; else, as under a filter, for each. */
  private async refresh(): Promise<void> {
    const wanted = this.unknown
    this.unknown = []
    await this.load(false)
    const known = new Set(this.list.items.map(({ id }) => id))
    const oldest = this.list.items.at(-1)?.id ?? ''
    const left = wanted.filter(id => !known.has(id) && id > oldest)
    if (left.length > MOST_SINGLE) {
      this.list = EMPTY
      return this.load(false)
    }
    const { signal } = this.abort
    const one = (id: JobId) => this.attempt(() => this.host.call('getJob', { params: { id } }, signal))
    for (const job of await Promise.all(left.map(one))) if (job) this.list = withJob(this.list, summaryOf(job))
  }

  private setFilter(filter: unknown): void {
    if (!isFilter(filter) || filter === this.filter) return
    keep(this.host, 'jobs.filter', filter)
    this.list = EMPTY
    this.restart()
  }

  private setText(text: string): void {
    this.text = text
    keep(this.host, 'jobs.text', text)
  }

  override render(): TemplateResult {
    const shown = matching(this.list.items, this.filter, this.text)
    return html`
      <div class="row bar">
        <h1 class="grow">Jobs</h1>
        <vscode-textfield
          type="search"
          .label=${'Search in the jobs that are loaded'}
          placeholder="Search"
          .value=${this.text}
          @input=${(event: Event) => this.setText((event.target as HTMLInputElement).value)}
        ></vscode-textfield>
        <vscode-single-select
          label="State"
          .value=${this.filter}
          @change=${(event: Event) => this.setFilter((event.target as HTMLSelectElement).value)}
        >
          ${FILTERS.map(([name, label]) => html`<vscode-option value=${name} ?selected=${name === this.filter}>${label}</vscode-option>`)}
        </vscode-single-select>
        <vscode-button @click=${() => this.renderRoot.querySelector<SubmitDialog>('skein-submit')?.show()}>New job</vscode-button>
      </div>
      ${this.renderFailure()} ${shown.length > 0 ? this.renderTable(shown) : this.renderEmpty()} ${this.renderMore(shown.length)}
      <skein-submit .host=${this.host}></skein-submit>
    `
  }

  private renderTable(jobs: readonly JobSummary[]): TemplateResult {
    const now = Date.now()
    return html`<table>
      <thead>
        <tr>
          <th scope="col" class="state-column">State</th>
          <th scope="col">Task</th>
          <th scope="col" class="wide">Agent</th>
          <th scope="col" class="wide">Repository</th>
          <th scope="col" class="wide number">Took</th>
          <th scope="col" class="number">Submitted</th>
        </tr>
      </thead>
      <tbody>
        ${jobs.map(job => renderRow(job, now, this.host))}
      </tbody>
    </table>`
  }

  private renderEmpty(): TemplateResult | typeof nothing {
    if (this.isLoading) return html`<div class="empty row"><vscode-progress-ring></vscode-progress-ring> Loading jobs…</div>`
    if (this.failure) return nothing
    if (this.list.items.length > 0 || this.filter !== 'all')
      return html`<div class="empty">No ${this.filter === 'all' ? '' : `${this.filter} `}job fits${this.text ? ` “${this.text}”` : ''}.</div>`
    return html`<div class="empty">
      <p>No jobs yet.</p>
      <p class="dim">Start one with <em>New job</em>, or in a repository: <code>skein run "make the test pass"</code></p>
    </div>`
  }

  private renderMore(shown: number): TemplateResult | typeof nothing {
    if (this.list.nextCursor === null) return nothing
    return html`<div class="row more">
      <vscode-button secondary ?disabled=${this.isLoading} @click=${() => this.load(true)}>Load more</vscode-button>
      <span class="dim" role="status">${shown} shown, of ${this.list.items.length} loaded</span>
    </div>`
  }
}

function renderRow(job: JobSummary, now: number, host: Page['host']): TemplateResult {
  const began = job.startedAt
  const took = began === null ? '' : duration((job.endedAt === null ? now : Date.parse(job.endedAt)) - Date.parse(began))
  const route = { page: 'job', jobId: job.id } as const
  const open = (event: Event) => {
    event.preventDefault()
    host.run({ name: 'open', route })
  }
  return html`<tr>
    <td class="state-column">${stateMark(job.state)}</td>
    <td class="task">
      <a href=${toHash(route)} @click=${open}>${visible(job.title)}</a>
      ${job.spec ? html`<div class="dim">${visible(job.spec.feature)}, ${job.spec.task}</div>` : nothing}
      ${job.failure ? html`<div class="dim reason">${visible(job.failure.detail)}</div>` : nothing}
    </td>
    <td class="wide">${job.agent}</td>
    <td class="wide" title=${job.repository === null ? nothing : visible(job.repository)}>${job.repository === null ? html`<span class="dim">none</span>` : visible(baseName(job.repository))}</td>
    <td class="wide number">${took}</td>
    <td class="number dim" title=${job.createdAt}>${ago(job.createdAt, now)}</td>
  </tr>`
}

function styles() {
  return css`
    .bar {
      margin-bottom: 12px;
    }
    vscode-textfield {
      width: 200px;
    }
    vscode-single-select {
      width: 130px;
    }
    tbody tr:hover {
      background: var(--vscode-list-hoverBackground);
    }
    .task {
      overflow-wrap: anywhere;
      width: 60%;
    }
    .reason {
      display: -webkit-box;
      font-size: 0.92em;
      line-clamp: 2;
      -webkit-box-orient: vertical;
      -webkit-line-clamp: 2;
      overflow: hidden;
    }
    .state-column {
      width: 110px;
    }
    .number {
      text-align: end;
      white-space: nowrap;
    }
    .number:last-child {
      padding-right: 0;
    }
    .empty {
      padding: 32px 0;
    }
    .more {
      padding: 12px 0;
    }
    @media (max-width: 800px) {
      .wide {
        display: none;
      }
      .bar h1 {
        flex-basis: 100%;
      }
      vscode-textfield {
        flex: 1;
        min-width: 120px;
      }
    }
  `
}

customElements.define('skein-jobs', JobsPage)
