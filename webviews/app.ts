import '@vscode-elements/elements/dist/vscode-button/vscode-button.js'
import { css, html, LitElement, nothing, type TemplateResult } from 'lit'
import type { Route } from '#shared/webview/index.ts'
import type { Host } from './kit/host.ts'
import { toHash } from './kit/route-hash.ts'
import { base } from './kit/styles.ts'

declare global {
  interface HTMLElementTagNameMap {
    'skein-app': SkeinApp
  }
}

/** Pages are loaded when they are first shown. */
const PAGES: Readonly<Record<Route['page'] | 'sign-in', () => Promise<unknown>>> = {
  jobs: () => import('./jobs/jobs-page.ts'),
  job: () => import('./job/job-page.ts'),
  fleet: () => import('./fleet/fleet-page.ts'),
  run: () => import('./run/run-page.ts'),
  'sign-in': () => import('./kit/sign-in.ts'),
}

/** What is round every page: where one can go, and how the connection stands. */
export class SkeinApp extends LitElement {
  static override properties = { host: { attribute: false } }
  declare host: Host | undefined
  /** Those whose elements are defined: before, an element would not know its host when it is put in place. */
  private readonly loaded = new Set<keyof typeof PAGES>()
  private readonly failed = new Set<keyof typeof PAGES>()

  static override styles = [
    base,
    css`
      :host {
        display: flex;
        flex-direction: column;
        height: 100%;
      }
      header.row {
        border-bottom: 1px solid var(--vscode-panel-border);
        gap: 18px;
        padding: 8px 20px;
      }
      header a {
        color: var(--vscode-foreground);
        padding: 4px 0;
      }
      header a[aria-current] {
        box-shadow: inset 0 -2px var(--vscode-focusBorder);
      }
      header nav.row {
        gap: 18px;
      }
      .brand {
        font-weight: 600;
      }
      main {
        flex: 1;
        min-height: 0;
        overflow: auto;
      }
      .banner {
        background: var(--vscode-inputValidation-warningBackground);
        border-bottom: 1px solid var(--vscode-inputValidation-warningBorder);
        padding: 6px 20px;
      }
      main > * {
        box-sizing: border-box;
        margin: 0 auto;
        max-width: 1400px;
        padding: 16px 20px;
      }
      @media (max-width: 600px) {
        main > *,
        header.row,
        .banner {
          padding-left: 12px;
          padding-right: 12px;
        }
      }
    `,
  ]

  override updated(changed: Map<string, unknown>): void {
    if (changed.has('host')) this.host?.watch(() => this.requestUpdate())
  }

  override render(): TemplateResult | typeof nothing {
    const { host } = this
    if (!host) return nothing
    const shown = host.state.state === 'signed-out' ? 'sign-in' : host.route.page
    if (!this.loaded.has(shown) && !this.failed.has(shown)) void this.load(shown)
    return html`
      ${host.signOut ? this.renderHeader(host) : nothing}
      <div role="status">${renderConnection(host)}</div>
      <main>${this.loaded.has(shown) ? renderPage(host, shown) : this.failed.has(shown) ? LOAD_FAILURE : nothing}</main>
    `
  }

  private async load(page: keyof typeof PAGES): Promise<void> {
    try {
      await PAGES[page]()
      this.loaded.add(page)
    } catch {
      this.failed.add(page)
    }
    this.requestUpdate()
  }

  /** In the editor there are views for that. */
  private renderHeader(host: Host): TemplateResult {
    const link = (page: 'jobs' | 'fleet', name: string) => {
      const isHere = host.route.page === page || (page === 'jobs' && (host.route.page === 'job' || host.route.page === 'run'))
      return html`<a href=${toHash({ page })} aria-current=${isHere ? 'page' : nothing}>${name}</a>`
    }
    const { state } = host
    return html`<header class="row">
      <span class="brand">Skein</span>
      ${
        state.state === 'signed-out'
          ? nothing
          : html`<nav class="row grow" aria-label="Pages">${link('jobs', 'Jobs')} ${link('fleet', 'Fleet')}</nav>
            ${state.state === 'ready' ? html`<span class="dim">${state.node}</span>` : nothing}
            <vscode-button secondary @click=${() => host.signOut?.()}>Sign out</vscode-button>`
      }
    </header>`
  }
}

/** A part of a page that is not there: nearly always because the node was updated since. */
const LOAD_FAILURE = html`<div class="note bad" role="alert">
  This page could not be loaded: the node may be away, or of another version than what is shown.
  <vscode-button secondary @click=${() => location.reload()}>Load anew</vscode-button>
</div>`

function renderPage(host: Host, shown: keyof typeof PAGES): TemplateResult | typeof nothing {
  if (shown === 'sign-in') return html`<skein-sign-in .host=${host}></skein-sign-in>`
  switch (host.route.page) {
    case 'jobs':
      return html`<skein-jobs .host=${host}></skein-jobs>`
    case 'run':
      return html`<skein-run .host=${host} .route=${host.route}></skein-run>`
    case 'job':
      return html`<skein-job .host=${host} .route=${host.route}></skein-job>`
    case 'fleet':
      return html`<skein-fleet .host=${host}></skein-fleet>`
  }
}

function renderConnection(host: Host): TemplateResult | typeof nothing {
  const { state } = host
  const again = html`<vscode-button secondary @click=${() => host.reconnect()}>Try now</vscode-button>`
  switch (state.state) {
    case 'ready':
    case 'signed-out':
      return nothing
    case 'starting':
      return html`<div class="banner row">${state.reason ?? 'Connecting…'}</div>`
    case 'lost':
      return html`<div class="banner row">
        <span class="grow">${state.reason} ${state.remedy ?? ''} What is shown may be old; it goes on by itself.</span>
        ${again}
        ${
          host.commands.has('showServerLog')
            ? html`<vscode-button secondary @click=${() => host.run({ name: 'showServerLog' })}>Show log</vscode-button>`
            : nothing
        }
      </div>`
  }
}

customElements.define('skein-app', SkeinApp)
