import '@vscode-elements/elements/dist/vscode-button/vscode-button.js'
import '@vscode-elements/elements/dist/vscode-option/vscode-option.js'
import '@vscode-elements/elements/dist/vscode-single-select/vscode-single-select.js'
import '@vscode-elements/elements/dist/vscode-textfield/vscode-textfield.js'
import { html, LitElement, nothing, type TemplateResult } from 'lit'
import { closesByKey, dialogStyles } from '../kit/dialog.ts'
import { CallError, type Host } from '../kit/host.ts'
import { base } from '../kit/styles.ts'
import { visible } from '../kit/visible.ts'
import { PEER_WORDS } from './peer-words.ts'

type Field = 'address' | 'code'
const EMPTY = { address: '', code: '', weRunTheirs: false }

/** Pairs this node with another one, by its address and the code that it shows. Tells of it by the event `paired`. */
export class AddPeerDialog extends LitElement {
  static override properties = {
    host: { attribute: false },
    draft: { state: true },
    problems: { state: true },
    failure: { state: true },
    isSending: { state: true },
  }
  declare host: Host
  declare draft: typeof EMPTY
  declare problems: Partial<Record<Field, string>>
  declare failure: string
  declare isSending: boolean

  static override styles = [base, dialogStyles]

  constructor() {
    super()
    this.draft = EMPTY
    this.problems = {}
    this.failure = ''
    this.isSending = false
  }

  show(): void {
    this.draft = EMPTY
    this.problems = {}
    this.failure = ''
    this.renderRoot.querySelector('dialog')?.showModal()
  }

  private readonly close = (): void => {
    this.renderRoot.querySelector('dialog')?.close()
  }
  private readonly closeByKey = (event: KeyboardEvent): void => {
    if (closesByKey(event)) this.close()
  }

  private async add(): Promise<void> {
    const [address, code] = [this.draft.address.trim(), this.draft.code.trim()]
    this.problems = {
      ...(isAddress(address) ? {} : { address: PEER_WORDS.badAddress }),
      ...(code === '' ? { code: 'A code is needed.' } : {}),
    }
    if (Object.keys(this.problems).length > 0 || this.isSending) return
    this.isSending = true
    this.failure = ''
    try {
      const peer = await this.host.call('addPeer', { body: { address, code, weRunTheirs: this.draft.weRunTheirs } })
      this.close()
      this.dispatchEvent(new CustomEvent('paired', { detail: peer }))
    } catch (error) {
      if (!(error instanceof CallError)) throw error
      const { detail, remedy } = error.problem
      this.failure = [detail, remedy ?? ''].join(' ').trim()
    } finally {
      this.isSending = false
    }
  }

  override render(): TemplateResult {
    const { isSending, draft } = this
    return html`<dialog aria-labelledby="title" @keydown=${{ handleEvent: this.closeByKey, capture: true }}>
      <h1 id="title">Add peer</h1>
      <div class="fields">
        ${this.field('address', 'Address', 'http://desktop:8080', PEER_WORDS.address)} ${this.field('code', 'Code', '', PEER_WORDS.code)}
        <div class="field">
          <span aria-hidden="true">${PEER_WORDS.both}</span>
          <vscode-single-select
            label=${PEER_WORDS.both}
            .value=${draft.weRunTheirs ? 'both' : 'offer'}
            @change=${(event: Event) => {
              this.draft = { ...this.draft, weRunTheirs: (event.target as HTMLSelectElement).value === 'both' }
            }}
          >
            <vscode-option value="offer" ?selected=${!draft.weRunTheirs}>${PEER_WORDS.offer}</vscode-option>
            <vscode-option value="both" ?selected=${draft.weRunTheirs}>${PEER_WORDS.offerAndTake}</vscode-option>
          </vscode-single-select>
        </div>
      </div>
      ${this.failure === '' ? nothing : html`<div class="note bad" role="alert">${visible(this.failure)}</div>`}
      <div class="row end">
        <vscode-button secondary @click=${this.close}>Cancel</vscode-button>
        <vscode-button ?disabled=${isSending} @click=${this.add}>${isSending ? 'Adding…' : 'Add'}</vscode-button>
      </div>
    </dialog>`
  }

  private field(name: Field, label: string, placeholder: string, help: string): TemplateResult {
    const problem = this.problems[name]
    return html`<div class="field">
      <span aria-hidden="true">${label}</span>
      <vscode-textfield
        .label=${label}
        placeholder=${placeholder}
        ?invalid=${problem !== undefined}
        .value=${this.draft[name]}
        @input=${(event: Event) => {
          this.draft = { ...this.draft, [name]: (event.target as HTMLInputElement).value }
        }}
      ></vscode-textfield>
      ${problem ? html`<span class="bad" role="alert">${problem}</span>` : nothing}
      <span class="dim help">${help}</span>
    </div>`
  }
}

function isAddress(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol)
}

customElements.define('skein-add-peer', AddPeerDialog)
