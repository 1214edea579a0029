import '@vscode-elements/elements/dist/vscode-button/vscode-button.js'
import '@vscode-elements/elements/dist/vscode-progress-ring/vscode-progress-ring.js'
import '../log/log-view.ts'
import './changes.ts'
import { css, html, nothing, type PropertyValues, type TemplateResult } from 'lit'
import type { Job, JobEvent, PlacementRecord } from '#shared/model/index.ts'
import type { JobTab, PageCommandName, Route } from '#shared/webview/index.ts'
import { baseName, duration } from '../kit/format.ts'
import { oncePerFrame } from '../kit/frame.ts'
import { Page } from '../kit/page.ts'
import { toHash } from '../kit/route-hash.ts'
import { isOver, stateMark, stateStyles } from '../kit/state-mark.ts'
import { base } from '../kit/styles.ts'
import { tabStyles, tabs } from '../kit/tabs.ts'
import { visible } from '../kit/visible.ts'
import { detailStyles, renderDetails } from './details.ts'
import { renderQuestion } from './question.ts'
import { BEGINNING, type Story, tell } from './story.ts'
import { renderTimeline, timelineStyles } from './timeline.ts'

const TABS: readonly (readonly [JobTab, string])[] = [
  ['log', 'Log'],
  ['timeline', 'Timeline'],
  ['changes', 'Changes'],
  ['details', 'Details'],
]

/** One job: what it is, how it goes, what came of it. */
class JobPage extends Page {
  static override properties = {
    ...Page.properties,
    route: { attribute: false },
    job: { state: true },
    story: { state: true },
    placements: { state: true },
    shownEntries: { state: true },
  }
  declare route: Extract<Route, { page: 'job' }>
  declare job: Job | null
  declare story: Story
  declare placements: readonly PlacementRecord[]
  /** How many of the last entries of the timeline are shown. */
  declare shownEntries: number
  private arrived: JobEvent[] = []
  private abort = new AbortController()
  private readonly taking = oncePerFrame(() => this.takeEvents())

  static override styles = [base, stateStyles, tabStyles, timelineStyles, detailStyles, pageStyles()]

  constructor() {
    super()
    this.job = null
    this.story = BEGINNING
    this.placements = []
    this.shownEntries = 200
  }

  protected override start(): void {
    const { jobId } = this.route
    this.story = BEGINNING
    this.abort = new AbortController()
    this.endWith(() => this.abort.abort())
    this.endWith(this.taking.cancel)
    const tick = setInterval(() => {
      if (!isOver(this.story.state)) this.requestUpdate()
    }, 1000)
    this.endWith(() => clearInterval(tick))
    void this.load()
    this.endWith(
      this.host.subscribe({ name: 'job', jobId }, 0, item => {
        if (item.type !== 'event') return
        this.arrived.push(item.event)
        this.taking.ask()
      }),
    )
  }

  override willUpdate(changed: PropertyValues): void {
    const before = changed.get('route') as JobPage['route'] | undefined
    if (before && before.jobId !== this.route.jobId) this.restart()
  }

  private async load(): Promise<void> {
    const input = { params: { id: this.route.jobId } }
    const [job, placements] = await Promise.all([
      this.attempt(() => this.host.call('getJob', input, this.abort.signal)),
      this.host.call('listPlacements', input, this.abort.signal).catch(() => null),
    ])
    if (placements) this.placements = placements.items
    if (!job) return
    this.job = job
    this.host.setTitle(visible(job.title))
  }

  private takeEvents(): void {
    const events = this.arrived.splice(0)
    this.story = tell(this.story, events)
    // What is no event of its own, and changes with these.
    if (
      events.some(({ body }) =>
        ['attempt.placed', 'attempt.started', 'attempt.returned', 'attempt.lost', 'result.accepted'].includes(body.type),
      )
    )
      void this.load()
  }

  private get tab(): JobTab {
    return this.route.tab ?? 'log'
  }

  private choose(tab: JobTab): void {
    this.route = { ...this.route, tab }
    this.host.place(this.route)
  }

  private async act(operation: 'cancelJob' | 'retryJob'): Promise<void> {
    const answer = await this.attempt(() => this.host.call(operation, { params: { id: this.route.jobId } }))
    if (answer && answer.jobId !== this.route.jobId) this.host.run({ name: 'open', route: { page: 'job', jobId: answer.jobId } })
  }

  private async answer(requestId: string, optionId: string): Promise<void> {
    const input = { params: { id: this.route.jobId, requestId }, body: { optionId } }
    await this.attempt(() => this.host.call('answerPermission', input))
  }

  override render(): TemplateResult {
    const { story, job } = this
    if (story.n === 0 && !job)
      return html`${this.renderFailure()}
        ${this.failure ? nothing : html`<div class="row"><vscode-progress-ring></vscode-progress-ring> Loading the job…</div>`}`
    return html`
      ${this.renderHeader()} ${this.renderFailure()}
      ${story.questions.map(question => renderQuestion(question, option => void this.answer(question.requestId, option)))}
      ${tabs('Parts of the job', TABS, this.tab, tab => this.choose(tab))}
      <div id="panel" role="tabpanel" aria-labelledby="tab-${this.tab}" class="panel ${this.tab}">${this.renderTab()}</div>
    `
  }

  private renderTab(): TemplateResult {
    const { story, job } = this
    switch (this.tab) {
      case 'log':
        return html`<skein-log .host=${this.host} .jobId=${this.route.jobId}></skein-log>`
      case 'timeline':
        return renderTimeline(story, this.shownEntries, () => (this.shownEntries += 500))
      case 'changes':
        return html`<skein-changes .host=${this.host} .jobId=${this.route.jobId} .stat=${story.diffStat} .isOver=${isOver(story.state)}></skein-changes>`
      case 'details':
        return renderDetails(this.host, story, job, this.placements)
    }
  }

  private renderHeader(): TemplateResult {
    const { story, job } = this
    const now = Date.now()
    const time = (at: string | null) => (at === null ? now : Date.parse(at))
    const facts: readonly (readonly [string, string | null])[] = [
      ['Agent', [story.agent, story.agentVersion].filter(Boolean).join(' ')],
      ['Model', story.model],
      ['Node', story.node ?? (story.executor ? 'this node' : null)],
      ['Sandbox', story.isolation === null ? null : story.isolation === 'none' ? 'none' : `${story.executor}`],
      ['Attempt', story.epoch > 1 ? String(story.epoch) : null],
      ['Repository', job?.spec.repository ? baseName(job.spec.repository.path) : null],
      [
        isOver(story.state) ? 'Took' : 'Elapsed',
        story.createdAt === null ? null : duration(time(story.endedAt) - time(story.startedAt ?? story.createdAt)),
      ],
    ]
    return html`<div class="head">
      <div class="row">
        <h1 class="grow">${visible(story.title || (job?.title ?? ''))}</h1>
        ${this.renderActions()}
      </div>
      <dl>
        <dt class="hidden">State</dt>
        <dd><span role="status">${stateMark(story.state)}${story.isCancelling && !isOver(story.state) ? html`<span class="dim">, cancelling</span>` : nothing}</span></dd>
        ${this.renderTaskOfSpec()}
        ${facts.map(([name, value]) => (value ? html`<dt>${name}</dt><dd>${visible(value)}</dd>` : nothing))}
      </dl>
      ${
        story.failure && story.state === 'failed'
          ? html`<div class="note bad">${visible(story.failure.detail)} <span class="dim">${visible(story.failure.remedy ?? '')}</span></div>`
          : nothing
      }
    </div>`
  }

  private renderTaskOfSpec(): TemplateResult | typeof nothing {
    const { repository, spec } = this.job?.spec ?? {}
    if (!repository || !spec) return nothing
    const route = { page: 'run', repository: repository.path, feature: spec.feature } as const
    const open = (event: Event) => {
      event.preventDefault()
      this.host.run({ name: 'open', route })
    }
    return html`<dt>For</dt><dd><a href=${toHash(route)} @click=${open}>${visible(spec.feature)}, ${spec.task}</a></dd>`
  }

  private renderActions(): TemplateResult {
    const { state, diffStat, isCancelling } = this.story
    const { jobId } = this.route
    if (!isOver(state))
      return html`<vscode-button secondary ?disabled=${isCancelling} @click=${() => this.act('cancelJob')}>Cancel</vscode-button>`
    const command = (name: 'review' | 'apply' | 'checkOut' | 'discard', label: string) =>
      this.host.commands.has(name satisfies PageCommandName)
        ? html`<vscode-button ?secondary=${name !== 'apply'} @click=${() => this.host.run({ name, jobId })}>${label}</vscode-button>`
        : nothing
    const hasChanges = (diffStat?.files ?? 0) > 0
    return html`${
      hasChanges
        ? html`${command('review', 'Review changes')} ${command('apply', 'Apply')} ${command('checkOut', 'Check out')} ${command('discard', 'Discard')}`
        : nothing
    }
      <vscode-button secondary @click=${() => this.act('retryJob')}>Run again</vscode-button>`
  }
}

function pageStyles() {
  return css`
    :host {
      display: flex;
      flex-direction: column;
      min-height: 100%;
    }
    dl {
      display: flex;
      flex-wrap: wrap;
      gap: 4px 6px;
      margin: 8px 0;
    }
    dt {
      color: var(--vscode-descriptionForeground);
    }
    dd {
      margin: 0 14px 0 0;
    }
    .panel {
      display: flex;
      flex: 1;
      flex-direction: column;
      min-height: 0;
    }
    .panel.log {
      height: 60vh;
    }
    skein-log {
      flex: 1;
    }
  `
}

customElements.define('skein-job', JobPage)
