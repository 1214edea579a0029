import { css } from 'lit'

/**
 * Whether a key closes the dialog that it was pressed in; then nothing else is made of it. To be asked while the event goes down: a select
 * that is folded takes the key for itself, too.
 */
export function closesByKey(event: KeyboardEvent): boolean {
  if (event.key !== 'Escape' || (event.target as { open?: boolean }).open === true) return false
  event.preventDefault()
  return true
}

/** A `dialog` with `.fields` of one `.field` each, and buttons in a `.row.end`. */
export const dialogStyles = css`
  dialog {
    background: var(--vscode-editorWidget-background);
    border: 1px solid var(--vscode-panel-border);
    border-radius: 6px;
    box-shadow: 0 4px 24px var(--vscode-widget-shadow);
    box-sizing: border-box;
    color: var(--vscode-foreground);
    max-height: 90vh;
    padding: 20px;
    width: min(480px, 94vw);
  }
  dialog::backdrop {
    background: #0006;
  }
  .fields {
    display: grid;
    gap: 12px;
    margin: 14px 0;
  }
  .field {
    display: grid;
    gap: 4px;
    min-width: 0;
  }
  .field > * {
    width: 100%;
  }
  .help {
    font-size: 0.92em;
  }
  .end {
    justify-content: flex-end;
    margin-top: 14px;
  }
`
