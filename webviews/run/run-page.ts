import { html, nothing, type TemplateResult } from 'lit'
import type { Route } from '#shared/webview/index.ts'
import { Page } from '../kit/page.ts'
import { base } from '../kit/styles.ts'
import { visible } from '../kit/visible.ts'

/** The tasks of a spec. A node that cannot say them yet says so. */
class RunPage extends Page {
  static override properties = { ...Page.properties, route: { attribute: false } }
  declare route: Extract<Route, { page: 'run' }>

  static override styles = [base]

  protected override start(): void {
    this.host.setTitle(this.route.feature)
  }

  override render(): TemplateResult {
    const { feature, repository } = this.route
    return html`<h1>${visible(feature)}</h1>
      <p class="dim">${visible(repository)}</p>
      ${this.failure ? this.renderFailure() : nothing}
      <div class="note">
        This node does not tell the tasks of a spec yet. Its jobs are in the <a href="#/jobs">list of jobs</a>.
      </div>`
  }
}

customElements.define('skein-run', RunPage)
