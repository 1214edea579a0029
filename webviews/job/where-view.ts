import { css, html, LitElement, nothing, type TemplateResult } from 'lit'
import type { Job, PlacementRecord } from '#shared/model/index.ts'
import { CallError, type Host } from '../kit/host.ts'
import { isOver } from '../kit/state-mark.ts'
import { base } from '../kit/styles.ts'
import { visible } from '../kit/visible.ts'
import type { Story } from './story.ts'
import { factsOf, type Place, useOf, waitsFor } from './where.ts'

/** Between two looks at what a sandbox takes, ms. */
const LOOK_MS = 2_000

/** Where a job runs and what it takes there now, or what it waits for. */
class WhereView extends LitElement {
  static override properties = {
    host: { attribute: false },
    story: { attribute: false },
    job: { attribute: false },
    placements: { attribute: false },
    place: { state: true },
    failure: { state: true },
  }
  declare host: Host
  declare story: Story
  declare job: Job | null
  declare placements: readonly PlacementRecord[]
  declare place: Place | null
  declare failure: string
  private earlier: Place | null = null
  private timer: ReturnType<typeof setInterval> | undefined
  private abort = new AbortController()

  static override styles = [base, styles()]

  constructor() {
    super()
    this.place = null
    this.failure = ''
    this.placements = []
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.abort = new AbortController()
    this.timer = setInterval(() => {
      if (!document.hidden && !isOver(this.story.state)) void this.look()
    }, LOOK_MS)
    void this.look()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    clearInterval(this.timer)
    this.abort.abort()
  }

  private async look(): Promise<void> {
    const { signal } = this.abort
    const { state } = this.story
    const isWaiting = state === 'queued' || state === 'placing'
    if (!this.job || isOver(state)) return
    try {
      const [{ items, unreachable, elsewhere }, drain] = await Promise.all([
        this.host.call('listWorkloads', { query: { jobId: this.job.id } }, signal),
        isWaiting ? this.host.call('drainStatus', {}, signal) : null,
      ])
      this.earlier = this.place
      const workloads = [...items, ...(elsewhere?.items ?? [])]
      this.place = { at: Date.now(), workloads, unreachable, silent: elsewhere?.problem ?? null, drain }
      this.failure = ''
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof CallError)) throw error
      this.failure = error.problem.detail
    }
  }

  override render(): TemplateResult {
    const { story, job, host } = this
    const isActive = !isOver(story.state)
    const place = isActive ? this.place : null
    const self = host.state.state === 'ready' ? `${host.state.node} (this node)` : 'this node'
    const waits = waitsFor(story, this.placements, place)
    const facts = factsOf(story, job?.spec ?? null, place, self)
    return html`<h2>${isActive ? 'Where it runs' : 'Where it ran'}</h2>
      ${waits.length > 0 ? html`<div class="note warn">${waits.map(text => html`<p>${visible(text)}</p>`)}</div>` : nothing}
      ${facts.length === 0 && waits.length === 0 ? html`<p class="dim">Nowhere yet.</p>` : nothing}
      <table><tbody>
        ${facts.map(([name, text]) => html`<tr><th scope="row">${name}</th><td>${visible(text)}</td></tr>`)}
        ${place?.workloads.map(workload => html`<tr><th scope="row">Now</th><td>${visible(useOf(workload, place.at, this.earlier))}</td></tr>`)}
      </tbody></table>
      ${place && place.silent !== null ? html`<p class="dim">What it takes there now could not be asked: ${visible(place.silent)}</p>` : nothing}
      ${place?.unreachable.map(({ executor, reason }) => html`<p class="warn">${executor} could not say what it runs: ${visible(reason)}</p>`)}
      ${this.failure !== '' && isActive ? html`<p class="warn">${visible(this.failure)}</p>` : nothing}`
  }
}

function styles() {
  return css`
    table {
      overflow-wrap: anywhere;
      width: auto;
    }
    th {
      padding-right: 24px;
      white-space: nowrap;
    }
    p {
      margin: 4px 0;
    }
    .note {
      margin: 0 0 8px;
    }
  `
}

customElements.define('skein-where', WhereView)
