import { css, html, type TemplateResult } from 'lit'

/** A row of tabs (ARIA's pattern: arrows move, the chosen one is in the order of the Tab key). */
export function tabs<Name extends string>(
  label: string,
  choices: readonly (readonly [name: Name, label: string])[],
  chosen: Name,
  choose: (name: Name) => void,
): TemplateResult {
  const key = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (step === undefined) return
    const at = choices.findIndex(([name]) => name === chosen)
    const next = choices[(at + step + choices.length) % choices.length]
    if (!next) return
    choose(next[0])
    const list = event.currentTarget as HTMLElement
    list.querySelector<HTMLElement>(`[data-name="${next[0]}"]`)?.focus()
  }
  return html`<div class="tabs" role="tablist" aria-label=${label} @keydown=${key}>
    ${choices.map(
      ([name, text]) =>
        html`<button
          role="tab"
          id="tab-${name}"
          data-name=${name}
          aria-selected=${name === chosen}
          aria-controls="panel"
          tabindex=${name === chosen ? 0 : -1}
          @click=${() => choose(name)}
        >
          ${text}
        </button>`,
    )}
  </div>`
}

export const tabStyles = css`
  .tabs {
    border-bottom: 1px solid var(--vscode-panel-border);
    display: flex;
    flex: none;
    gap: 16px;
    margin: 12px 0;
    overflow-x: auto;
  }
  .tabs button {
    background: none;
    border: 0;
    color: var(--vscode-descriptionForeground);
    cursor: pointer;
    font: inherit;
    padding: 6px 2px;
    white-space: nowrap;
  }
  .tabs button[aria-selected='true'] {
    box-shadow: inset 0 -2px var(--vscode-focusBorder);
    color: var(--vscode-foreground);
  }
`
