import { html, LitElement, nothing, type TemplateResult } from 'lit'
import { CallError, type Host } from './host.ts'
import { visible } from './visible.ts'

/** What every page is: an element with a host, which ends all it started when it is taken away. */
export abstract class Page extends LitElement {
  static override properties = { host: { attribute: false }, failure: { state: true } }
  declare host: Host
  /** The last thing that went wrong and was not shown elsewhere. */
  declare protected failure: CallError | null
  private endings: (() => void)[] = []

  constructor() {
    super()
    this.failure = null
  }

  /** Begins to load and follow; called whenever the page is shown. */
  protected abstract start(): void

  override connectedCallback(): void {
    super.connectedCallback()
    let before = this.host.state.state
    this.endWith(
      this.host.watch(() => {
        const now = this.host.state.state
        // What failed while the server was away is tried again once it is back.
        if (now === 'ready' && before !== 'ready' && this.failure?.problem.code === 'not_ready') this.restart()
        before = now
        this.requestUpdate()
      }),
    )
    this.start()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    for (const end of this.endings.splice(0)) end()
  }

  protected endWith(end: () => void): void {
    this.endings.push(end)
  }

  protected restart(): void {
    this.failure = null
    this.disconnectedCallback()
    this.connectedCallback()
  }

  /** Does something, and shows why when that fails. @returns undefined then */
  protected async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await work()
      this.failure = null
      return answer
    } catch (error) {
      if (error instanceof Error && error.name === 'AbortError') return undefined
      if (!(error instanceof CallError)) throw error
      this.failure = error
      return undefined
    }
  }

  protected renderFailure(): TemplateResult | typeof nothing {
    if (!this.failure) return nothing
    const { detail, remedy } = this.failure.problem
    return html`<div class="note bad" role="alert">${visible(detail)}${remedy ? html` <span class="dim">${visible(remedy)}</span>` : nothing}</div>`
  }
}
