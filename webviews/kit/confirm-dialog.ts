import '@vscode-elements/elements/dist/vscode-button/vscode-button.js'
import { html, LitElement, type TemplateResult } from 'lit'
import { closesByKey, dialogStyles } from './dialog.ts'
import { base } from './styles.ts'
import { visible } from './visible.ts'

/** Something that is asked before it is done; names of others may stand in it. */
export interface Question {
  readonly text: string
  readonly detail: string
  /** What the button says that does it. */
  readonly yes: string
}

/** Asks before something that cannot be taken back. */
export class ConfirmDialog extends LitElement {
  static override properties = { question: { state: true } }
  declare question: Question | null
  private settle: (answer: boolean) => void = () => {}

  static override styles = [base, dialogStyles]

  constructor() {
    super()
    this.question = null
  }

  /** @returns whether the person said yes; no, when another question took its place */
  async ask(question: Question): Promise<boolean> {
    this.answer(false)
    this.question = question
    await this.updateComplete
    this.renderRoot.querySelector('dialog')?.showModal()
    return new Promise(resolve => {
      this.settle = resolve
    })
  }

  private answer(answer: boolean): void {
    this.renderRoot.querySelector('dialog')?.close()
    this.settle(answer)
    this.settle = () => {}
  }

  private readonly closeByKey = (event: KeyboardEvent): void => {
    if (closesByKey(event)) this.answer(false)
  }

  override render(): TemplateResult {
    const { text, detail, yes } = this.question ?? { text: '', detail: '', yes: '' }
    return html`<dialog role="alertdialog" aria-labelledby="text" aria-describedby="detail" @keydown=${{ handleEvent: this.closeByKey, capture: true }}>
      <h1 id="text">${visible(text)}</h1>
      <p id="detail">${visible(detail)}</p>
      <div class="row end">
        <vscode-button secondary @click=${() => this.answer(false)}>Cancel</vscode-button>
        <vscode-button @click=${() => this.answer(true)}>${yes}</vscode-button>
      </div>
    </dialog>`
  }
}

customElements.define('skein-confirm', ConfirmDialog)
