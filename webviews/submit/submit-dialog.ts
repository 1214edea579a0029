import '@vscode-elements/elements/dist/vscode-button/vscode-button.js'
import '@vscode-elements/elements/dist/vscode-checkbox/vscode-checkbox.js'
import '@vscode-elements/elements/dist/vscode-option/vscode-option.js'
import '@vscode-elements/elements/dist/vscode-single-select/vscode-single-select.js'
import '@vscode-elements/elements/dist/vscode-textarea/vscode-textarea.js'
import '@vscode-elements/elements/dist/vscode-textfield/vscode-textfield.js'
import { css, html, LitElement, nothing, type TemplateResult } from 'lit'
import type { AgentInfo, Peer, SpecTaskRef } from '#shared/model/index.ts'
import { closesByKey, dialogStyles } from '../kit/dialog.ts'
import { CallError, type Host } from '../kit/host.ts'
import { base } from '../kit/styles.ts'
import { visible } from '../kit/visible.ts'
import { type Draft, draftOf, missingIn, NEW_DRAFT, requestOf } from './job-request.ts'

type Choice = readonly [value: string, label: string]
type Problems = Partial<Record<keyof Draft, string>>

const PERMISSIONS: readonly Choice[] = [
  ['ask', 'Ask me'],
  ['allow', 'Allow everything inside the sandbox'],
  ['deny', 'Refuse'],
]

/** What is filled in already. */
export interface Prefilled {
  readonly draft: Partial<Draft>
  /** The task of a spec that the job is for. */
  readonly spec: SpecTaskRef
}

/** Asks for a job and submits it. */
export class SubmitDialog extends LitElement {
  static override properties = {
    host: { attribute: false },
    draft: { state: true },
    problems: { state: true },
    failure: { state: true },
    isSending: { state: true },
    agents: { state: true },
    peers: { state: true },
  }
  declare host: Host
  declare draft: Draft
  declare problems: Problems
  declare failure: string
  declare isSending: boolean
  declare agents: readonly AgentInfo[]
  declare peers: readonly Peer[]
  /** Of this draft: sending it twice makes one job. */
  private key = ''
  private spec: SpecTaskRef | null = null

  static override styles = [base, dialogStyles, submitStyles()]

  constructor() {
    super()
    this.draft = NEW_DRAFT
    this.problems = {}
    this.failure = ''
    this.isSending = false
    this.agents = []
    this.peers = []
  }

  show(prefilled?: Prefilled): void {
    this.draft = { ...draftOf(this.host.kept()['jobs.draft']), ...prefilled?.draft }
    this.spec = prefilled?.spec ?? null
    this.problems = {}
    this.failure = ''
    this.key = newKey()
    this.renderRoot.querySelector('dialog')?.showModal()
    // Without them the form offers less, and says why only once it is sent.
    void this.host.call('listAgents', {}).then(({ items }) => (this.agents = items), ignore)
    void this.host.call('listPeers', {}).then(({ items }) => (this.peers = items), ignore)
  }

  private close(): void {
    this.renderRoot.querySelector('dialog')?.close()
  }

  private readonly closeByKey = (event: KeyboardEvent): void => {
    if (closesByKey(event)) this.close()
  }

  private set(change: Partial<Draft>): void {
    this.draft = { ...this.draft, ...change }
    this.key = newKey()
    if (!this.spec) this.host.keep({ ...this.host.kept(), 'jobs.draft': this.draft })
  }

  private async submit(): Promise<void> {
    this.problems = missingIn(this.draft) ?? {}
    if (Object.keys(this.problems).length > 0 || this.isSending) return
    this.isSending = true
    try {
      const { jobId } = await this.host.call('createJob', {
        body: { ...requestOf(this.draft), ...(this.spec ? { spec: this.spec } : {}) },
        headers: { 'idempotency-key': this.key },
      })
      // What is likely to be the same in the next one stays.
      this.set({ task: '', command: '' })
      this.close()
      this.host.run({ name: 'open', route: { page: 'job', jobId } })
    } catch (error) {
      if (!(error instanceof CallError)) throw error
      const { detail, remedy, issues } = error.problem
      this.failure = [detail, ...(issues ?? []).map(({ path, message }) => `${path}: ${message}`), remedy ?? ''].join(' ').trim()
    } finally {
      this.isSending = false
    }
  }

  override render(): TemplateResult {
    const { draft } = this
    const isCommand = draft.agent === 'command'
    return html`<dialog aria-labelledby="title" @keydown=${{ handleEvent: this.closeByKey, capture: true }}>
      <h1 id="title">${this.spec ? `New job for ${visible(this.spec.feature)}, ${this.spec.task}` : 'New job'}</h1>
      <div class="fields">
        ${this.field('agent', 'Agent', this.select('agent', 'Agent', agentChoices(this.agents)))}
        ${
          isCommand
            ? this.field('command', 'Command', this.text('command', 'Command', 'npm test'))
            : this.field('task', 'Task', this.area('task', 'Task', 5, 'Make the failing test pass'))
        }
        ${this.field('repository', 'Repository', this.text('repository', 'Repository', '/home/you/project'), 'Absolute path on the node; empty: the job starts in an empty directory.')}
        <vscode-checkbox
          label="With changes that are not committed"
          .checked=${draft.includesChanges}
          @change=${(event: Event) => this.set({ includesChanges: (event.target as HTMLInputElement).checked })}
        ></vscode-checkbox>
        ${this.field('checks', 'Checks', this.area('checks', 'Checks', 2, 'npm test'), 'Commands that must succeed on the result, one a line.')}
        <div class="pair">
          ${this.field('where', 'Where', this.select('where', 'Where', whereChoices(this.peers)))}
          ${this.field('permissions', 'When the agent asks', this.select('permissions', 'When the agent asks', PERMISSIONS))}
        </div>
      </div>
      ${this.failure === '' ? nothing : html`<div class="note bad" role="alert">${visible(this.failure)}</div>`}
      <div class="row end">
        <vscode-button secondary @click=${this.close}>Cancel</vscode-button>
        <vscode-button ?disabled=${this.isSending} @click=${this.submit}>${this.isSending ? 'Submitting…' : 'Submit'}</vscode-button>
      </div>
    </dialog>`
  }

  private field(name: keyof Draft, label: string, control: TemplateResult, help?: string): TemplateResult {
    const problem = this.problems[name]
    return html`<div class="field">
      <span aria-hidden="true">${label}</span>
      ${control} ${problem ? html`<span class="bad" role="alert">${problem}</span>` : nothing}
      ${help ? html`<span class="dim help">${help}</span>` : nothing}
    </div>`
  }

  private text(name: 'repository' | 'command', label: string, placeholder: string): TemplateResult {
    return html`<vscode-textfield
      .label=${label}
      placeholder=${placeholder}
      ?invalid=${this.problems[name] !== undefined}
      .value=${this.draft[name]}
      @input=${(event: Event) => this.set({ [name]: (event.target as HTMLInputElement).value })}
    ></vscode-textfield>`
  }

  private area(name: 'task' | 'checks', label: string, rows: number, placeholder: string): TemplateResult {
    return html`<vscode-textarea
      .label=${label}
      rows=${rows}
      placeholder=${placeholder}
      ?invalid=${this.problems[name] !== undefined}
      .value=${this.draft[name]}
      @input=${(event: Event) => this.set({ [name]: (event.target as HTMLTextAreaElement).value })}
    ></vscode-textarea>`
  }

  private select(name: 'agent' | 'where' | 'permissions', label: string, choices: readonly Choice[]): TemplateResult {
    return html`<vscode-single-select
      label=${label}
      .value=${this.draft[name]}
      @change=${(event: Event) => this.set({ [name]: (event.target as HTMLSelectElement).value })}
    >
      ${choices.map(([value, text]) => html`<vscode-option value=${value} ?selected=${value === this.draft[name]}>${text}</vscode-option>`)}
    </vscode-single-select>`
  }
}

const ignore = () => {}
/** Not `randomUUID`: there is none on a page that came over http from another machine. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('')

function agentChoices(agents: readonly AgentInfo[]): readonly Choice[] {
  const known = agents.filter(({ kind }) => kind !== 'command')
  return [
    ['auto', 'The first that can be used'],
    ...known.map(({ id, title, usable }) => [id, usable ? title : `${title} (not installed here)`] as const),
    ['command', 'A shell command, no agent'],
  ]
}

const whereChoices = (peers: readonly Peer[]): readonly Choice[] => [
  ['anywhere', 'Wherever it is done first'],
  ['here', 'Only on this node'],
  ...peers
    .filter(({ runsOurs }) => runsOurs)
    .map(({ id, name, state }) => [id, `Only on ${visible(name)}${state === 'online' ? '' : ' (offline)'}`] as const),
]

function submitStyles() {
  return css`
    dialog {
      width: min(640px, 94vw);
    }
    .pair {
      display: grid;
      gap: 12px;
      grid-template-columns: repeat(auto-fit, minmax(200px, 1fr));
    }
  `
}

customElements.define('skein-submit', SubmitDialog)
