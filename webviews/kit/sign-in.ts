import '@vscode-elements/elements/dist/vscode-button/vscode-button.js'
import { css, html, LitElement, nothing, type TemplateResult } from 'lit'
import type { Host } from './host.ts'
import { base } from './styles.ts'

/** Asks for the token of the node. */
class SignIn extends LitElement {
  static override properties = { host: { attribute: false } }
  declare host: Host

  static override styles = [
    base,
    css`
      form {
        display: grid;
        gap: 12px;
        margin: 8vh auto 0;
        max-width: 420px;
      }
      input {
        background: var(--vscode-input-background);
        border: 1px solid var(--vscode-settings-textInputBorder);
        border-radius: 4px;
        color: var(--vscode-input-foreground);
        font: inherit;
        padding: 6px 8px;
      }
    `,
  ]

  private submit(event: SubmitEvent): void {
    event.preventDefault()
    const token = new FormData(event.target as HTMLFormElement).get('token')
    if (typeof token === 'string' && token.trim() !== '') this.host.signIn?.(token.trim())
  }

  override render(): TemplateResult {
    const { state } = this.host
    const reason = state.state === 'signed-out' ? state.reason : null
    return html`<form @submit=${this.submit}>
      <h1>Sign in to this node</h1>
      ${reason === null ? nothing : html`<div class="note bad" role="alert">${reason}</div>`}
      <label for="token">Token</label>
      <input
        id="token"
        name="token"
        type="password"
        autocomplete="current-password"
        spellcheck="false"
        required
        aria-describedby="where"
      />
      <span id="where" class="dim">
        It is in the file <code>token</code> of the node's data directory, which <code>skein doctor</code> names. It stays in this tab
        until you close it or sign out.
      </span>
      <vscode-button type="submit">Sign in</vscode-button>
    </form>`
  }
}

customElements.define('skein-sign-in', SignIn)
