import '@vscode-elements/elements/dist/vscode-button/vscode-button.js'
import '@vscode-elements/elements/dist/vscode-progress-ring/vscode-progress-ring.js'
import '../submit/submit-dialog.ts'
import { html, nothing, type PropertyValues, type TemplateResult } from 'lit'
import type { SpecFeature, SpecRequirement, SpecTask } from '#shared/model/index.ts'
import type { Route } from '#shared/webview/index.ts'
import { times } from '../kit/format.ts'
import { oneAfterAnother } from '../kit/frame.ts'
import { newestEvent } from '../kit/newest-event.ts'
import { Page } from '../kit/page.ts'
import { toHash } from '../kit/route-hash.ts'
import { isOver, stateMark, stateStyles } from '../kit/state-mark.ts'
import { base } from '../kit/styles.ts'
import { visible } from '../kit/visible.ts'
import type { SubmitDialog } from '../submit/submit-dialog.ts'
import './edges-view.ts'
import { type Edge, edgesOf, MOST_EDGES, waitersOf } from './edges.ts'
import type { EdgesView } from './edges-view.ts'
import { runStyles } from './run-styles.ts'
import { type Phase, phasesOf, promptOf, stateOf, tally } from './waves.ts'

/** How often the documents are looked at, which nobody tells of when they change, ms. */
const REFRESH_MS = 5_000
/** Between two times that they are asked for, however much happens, ms. */
const PAUSE_MS = 500

/** The tasks of a feature: in which order they may be done, how far each is, and what its requirements lack. */
class RunPage extends Page {
  static override properties = {
    ...Page.properties,
    route: { attribute: false },
    feature: { state: true },
    chosen: { state: true },
  }
  declare route: Extract<Route, { page: 'run' }>
  declare feature: SpecFeature | null
  /** The task that somebody points at. */
  declare chosen: string | null
  private abort = new AbortController()
  private readonly refreshing = oneAfterAnother(() => this.load(), PAUSE_MS)

  static override styles = [base, stateStyles, runStyles]

  constructor() {
    super()
    this.feature = null
    this.chosen = null
  }

  protected override start(): void {
    this.host.setTitle(visible(this.route.feature))
    this.abort = new AbortController()
    this.endWith(() => this.abort.abort())
    this.endWith(this.refreshing.cancel)
    const timer = setInterval(() => {
      if (!document.hidden) this.refreshing.ask()
    }, REFRESH_MS)
    this.endWith(() => clearInterval(timer))
    void this.follow()
    this.refreshing.ask()
  }

  override willUpdate(changed: PropertyValues): void {
    const before = changed.get('route') as RunPage['route'] | undefined
    if (!before || (before.feature === this.route.feature && before.repository === this.route.repository)) return
    this.feature = null
    this.restart()
  }

  override updated(): void {
    this.renderRoot.querySelector<EdgesView>('skein-edges')?.draw()
  }

  /** What a job does may change how far a task is. */
  private async follow(): Promise<void> {
    const cursor = await this.attempt(() => newestEvent(this.host, this.abort.signal))
    if (cursor === undefined || this.abort.signal.aborted) return
    this.endWith(
      this.host.subscribe({ name: 'jobs' }, cursor, item => {
        if (item.type !== 'event') return
        const { type } = item.event.body
        if (type === 'job.created' || type === 'job.state') this.refreshing.ask()
      }),
    )
  }

  private async load(): Promise<void> {
    const { feature, repository } = this.route
    const { signal } = this.abort
    const read = await this.attempt(() => this.host.call('getSpec', { params: { feature }, query: { repository } }, signal))
    if (read) this.feature = read
  }

  private ask(task: SpecTask): void {
    const { repository, feature } = this.route
    const dialog = this.renderRoot.querySelector<SubmitDialog>('skein-submit')
    dialog?.show({ draft: { task: promptOf(task), repository }, spec: { feature, task: task.id } })
  }

  override render(): TemplateResult {
    const { feature, route } = this
    if (!feature)
      return html`<h1>${visible(route.feature)}</h1>
        ${this.renderFailure()}
        ${this.failure ? nothing : html`<div class="row"><vscode-progress-ring></vscode-progress-ring> Reading the spec…</div>`}`
    return html`<h1>${visible(feature.title.replace(/^Feature Specification:\s*/i, '') || feature.feature)}</h1>
      <p class="dim">${visible(feature.feature)} in ${visible(route.repository)}</p>
      ${this.renderFailure()} ${renderFigures(feature)}
      ${feature.tasks.length === 0 ? html`<p class="dim">It has no tasks yet.</p>` : this.renderGraph(feature)}
      ${this.renderProblems(feature)}
      ${renderRequirements('Requirements', feature.requirements)} ${renderRequirements('Success criteria', feature.criteria)}
      <skein-submit .host=${this.host}></skein-submit>`
  }

  private renderGraph({ tasks }: SpecFeature): TemplateResult {
    const edges = edgesOf(tasks)
    const waiters = waitersOf(edges)
    const done = new Set(tasks.filter(({ isDone }) => isDone).map(({ id }) => id))
    return html`${edges.length > 0 ? renderLegend(edges) : nothing}
      <div class="graph">
        <skein-edges .edges=${edges} .done=${done} .chosen=${this.chosen}></skein-edges>
        ${phasesOf(tasks).map((phase, at) => this.renderPhase(phase, at, waiters))}
      </div>`
  }

  private renderPhase({ title, waves }: Phase, at: number, waiters: Waiters): TemplateResult {
    return html`<h2>${at > 0 ? html`<span class="dim then" aria-hidden="true">↓</span><span class="hidden">then: </span>` : nothing}${visible(title ?? 'Tasks')}</h2>
      <ol class="waves">
        ${waves.map(wave => html`<li><ul class="wave">${wave.map(task => this.renderTask(task, waiters.get(task.id) ?? []))}</ul></li>`)}
      </ol>`
  }

  /** Brings another task into view, by its number. */
  private renderJump(id: string): TemplateResult {
    const jump = (event: Event) => {
      event.preventDefault()
      const card = [...this.renderRoot.querySelectorAll<HTMLElement>('[data-task]')].find(one => one.dataset.task === id)
      card?.scrollIntoView({ block: 'nearest' })
      card?.focus()
    }
    return html`<a href="#" @click=${jump}>${visible(id)}</a>`
  }

  private renderJumps(word: string, ids: readonly string[]): TemplateResult | typeof nothing {
    if (ids.length === 0) return nothing
    const more = ids.length > MOST_JUMPS ? `, and ${ids.length - MOST_JUMPS} more` : ''
    return html`<span class="dim">${word} ${ids.slice(0, MOST_JUMPS).map((id, at) => html`${at > 0 ? ', ' : ''}${this.renderJump(id)}`)}${more}</span>`
  }

  private renderTask(task: SpecTask, waiters: readonly string[]): TemplateResult {
    const { id, title, story, after, job } = task
    const point = (chosen: string | null) => () => {
      this.chosen = chosen
    }
    const state = stateOf(task)
    const isIdle = state === 'to do' || (state !== 'done' && isOver(state))
    const route = job && ({ page: 'job', jobId: job.jobId } as const)
    const open = (event: Event) => {
      event.preventDefault()
      if (route) this.host.run({ name: 'open', route })
    }
    return html`<li
      class="card task"
      data-task=${id}
      tabindex="-1"
      @focusin=${point(id)}
      @focusout=${point(null)}
      @mouseenter=${point(id)}
      @mouseleave=${point(null)}
    >
      <div class="row">
        <strong>${this.renderPlace(id, task)}</strong> ${story ? html`<span class="dim">${visible(story)}</span>` : nothing}
        <span class="grow"></span>
        ${state === 'done' ? html`<span class="good">✓ done</span>` : state === 'to do' ? html`<span class="dim">to do</span>` : stateMark(state)}
      </div>
      <p>${visible(title)}</p>
      <div class="row">
        ${this.renderJumps('after', after)} ${this.renderJumps('before', waiters)}
        ${job && job.checks.all > 0 ? html`<span class="dim">checks ${job.checks.green} of ${job.checks.all} green</span>` : nothing}
        <span class="grow"></span>
        ${route ? html`<a href=${toHash(route)} @click=${open} aria-label="Job of ${id}">Job${job?.node ? ` on ${visible(job.node)}` : ''}</a>` : nothing}
        ${isIdle ? html`<vscode-button secondary aria-label="Run ${id}" @click=${() => this.ask(task)}>Run…</vscode-button>` : nothing}
      </div>
    </li>`
  }

  /** Where it is written: opened by an editor, only named in a browser. */
  private renderPlace(text: string, { path, line }: { path: string; line: number }): TemplateResult {
    const { repository } = this.route
    const place = `${visible(path)}:${line + 1}`
    if (!this.host.commands.has('openFile')) return html`<span title=${place}>${visible(text)}</span>`
    const open = (event: Event) => {
      event.preventDefault()
      this.host.run({ name: 'openFile', repository, path, line })
    }
    return html`<a href="#" title=${place} @click=${open}>${visible(text)}</a>`
  }

  private renderProblems({ problems }: SpecFeature): TemplateResult | typeof nothing {
    if (problems.length === 0) return nothing
    const tone = { error: 'bad', warning: 'warn', info: 'dim', hint: 'dim' } as const
    return html`<h2>What is wrong</h2>
      <table>
        <tbody>
          ${problems.map(
            problem =>
              html`<tr>
                <td class=${tone[problem.severity]}>${problem.severity}</td>
                <td>${visible(problem.message)}</td>
                <td>${this.renderPlace(`${problem.path}:${problem.line + 1}`, problem)}</td>
              </tr>`,
          )}
        </tbody>
      </table>`
  }
}

type Waiters = ReadonlyMap<string, readonly string[]>
/** Tasks that are named as before or after one. */
const MOST_JUMPS = 12

function renderLegend({ length }: readonly Edge[]): TemplateResult {
  const shown = length > MOST_EDGES ? ` The first ${MOST_EDGES.toLocaleString('en')} of ${times(length, 'line')} are drawn.` : ''
  return html`<p class="dim">Lines lead from a task to those that wait for it, and are pale once it is done.${shown}</p>`
}

function renderFigures({ tasks, coverage }: SpecFeature): TemplateResult {
  const { requirements, covered, clarifications } = coverage
  const facts: readonly (readonly [string, string])[] = [
    ...tally(tasks).map(([state, count]) => [state, `${count} of ${tasks.length}`] as const),
    ['Requirements with a task', `${covered} of ${requirements}`],
    ...(clarifications > 0 ? [['To clarify', times(clarifications, 'place')] as const] : []),
  ]
  return html`<dl>${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}

function renderRequirements(title: string, all: readonly SpecRequirement[]): TemplateResult | typeof nothing {
  if (all.length === 0) return nothing
  return html`<h2>${title}</h2>
    <table>
      <thead><tr><th scope="col">Id</th><th scope="col">What</th><th scope="col">Tasks</th></tr></thead>
      <tbody>
        ${all.map(
          ({ id, text, tasks }) =>
            html`<tr>
              <td>${visible(id)}</td>
              <td>${visible(text)}</td>
              <td>${tasks.length === 0 ? html`<span class="warn">none</span>` : tasks.map(visible).join(', ')}</td>
            </tr>`,
        )}
      </tbody>
    </table>`
}

customElements.define('skein-run', RunPage)
