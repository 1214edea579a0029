import '@vscode-elements/elements/dist/vscode-button/vscode-button.js'
import { html, nothing, type TemplateResult } from 'lit'
import { visible, visibleText } from '../kit/visible.ts'
import type { Question } from './story.ts'

/** What an agent asks, to be answered by a person. Its words are the agent's: nothing here says that they are true. */
export function renderQuestion(question: Question, answer: (optionId: string) => void): TemplateResult {
  return html`<section class="card" role="alert">
    <strong>The agent asks: ${visible(question.title)}</strong>
    ${question.detail === '' ? nothing : html`<pre>${visibleText(question.detail)}</pre>`}
    <div class="row">
      ${question.options.map(
        ({ id, name, kind }) =>
          html`<vscode-button ?secondary=${kind.startsWith('reject')} @click=${() => answer(id)}>${visible(name)}</vscode-button>`,
      )}
    </div>
  </section>`
}
