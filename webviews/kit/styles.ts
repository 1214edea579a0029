import { css } from 'lit'

/** What every page looks like: VS Code's variables, which webviews/main.css defines where there is no VS Code. */
export const base = css`
  :host {
    color: var(--vscode-foreground);
    display: block;
  }
  :focus-visible {
    outline: 1px solid var(--vscode-focusBorder);
    outline-offset: 1px;
  }
  a {
    color: var(--vscode-textLink-foreground);
    text-decoration: none;
  }
  a:hover {
    text-decoration: underline;
  }
  h1 {
    font-size: 1.3em;
    font-weight: 600;
    margin: 0;
    overflow-wrap: anywhere;
  }
  h2 {
    font-size: 1em;
    font-weight: 600;
    margin: 1.6em 0 0.5em;
  }
  h2:first-child {
    margin-top: 0;
  }
  table {
    border-collapse: collapse;
    width: 100%;
  }
  th {
    color: var(--vscode-descriptionForeground);
    font-weight: 400;
    text-align: start;
  }
  th,
  td {
    border-bottom: 1px solid var(--vscode-panel-border);
    padding: 5px 10px 5px 0;
    vertical-align: top;
  }
  code,
  pre {
    font-family: var(--vscode-editor-font-family);
    font-size: var(--vscode-editor-font-size);
    overflow-wrap: anywhere;
  }
  pre {
    margin: 0;
    white-space: pre-wrap;
  }
  vscode-textfield {
    border-radius: 4px;
    overflow: clip;
  }
  .dim {
    color: var(--vscode-descriptionForeground);
  }
  .bad {
    color: var(--vscode-errorForeground);
  }
  .good {
    color: var(--vscode-testing-iconPassed);
  }
  .warn {
    color: var(--vscode-editorWarning-foreground);
  }
  .row {
    align-items: center;
    display: flex;
    flex-wrap: wrap;
    gap: 8px;
  }
  .grow {
    flex: 1;
    min-width: 0;
  }
  .card {
    background: var(--vscode-editorWidget-background);
    border: 1px solid var(--vscode-panel-border);
    border-radius: 4px;
    padding: 12px;
  }
  .note {
    border-left: 3px solid var(--vscode-descriptionForeground);
    padding: 4px 12px;
  }
  .note.bad {
    border-color: var(--vscode-errorForeground);
  }
  .note.warn {
    border-color: var(--vscode-editorWarning-foreground);
  }
  .hidden {
    clip-path: inset(50%);
    height: 1px;
    overflow: hidden;
    position: absolute;
    white-space: nowrap;
    width: 1px;
  }
`
