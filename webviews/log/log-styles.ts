import { css } from 'lit'

export const logStyles = css`
  :host {
    display: flex;
    flex-direction: column;
    min-height: 0;
  }
  .tools {
    padding-bottom: 8px;
  }
  vscode-textfield {
    width: 220px;
  }
  .size,
  .found {
    font-variant-numeric: tabular-nums;
  }
  .viewport {
    background: var(--vscode-editor-background);
    border: 1px solid var(--vscode-panel-border);
    border-radius: 4px;
    contain: strict;
    flex: 1;
    min-height: 220px;
    overflow: auto;
    /* The window of rows is its own anchor. */
    overflow-anchor: none;
    position: relative;
  }
  .space {
    width: 1px;
  }
  .rows {
    color: var(--vscode-editor-foreground);
    font-family: var(--vscode-editor-font-family);
    font-size: var(--vscode-editor-font-size);
    left: 0;
    line-height: 18px;
    min-width: 100%;
    position: absolute;
    top: 0;
  }
  .line {
    height: 18px;
    padding-right: 12px;
    tab-size: 8;
    white-space: pre;
  }
  .line:hover {
    background: var(--vscode-list-hoverBackground);
  }
  .line.current {
    box-shadow: inset 3px 0 var(--vscode-focusBorder);
  }
  .line::before {
    color: var(--vscode-editorLineNumber-foreground);
    /* Not to be read aloud with every line. */
    content: attr(data-number) / '';
    display: inline-block;
    margin-right: 14px;
    text-align: end;
    width: calc(var(--digits, 4) * 1ch + 8px);
  }
  mark {
    background: var(--vscode-editor-findMatchHighlightBackground);
    color: inherit;
  }
  .bold {
    font-weight: 700;
  }
  .faint {
    opacity: 0.7;
  }
  .italic {
    font-style: italic;
  }
  .underline {
    text-decoration: underline;
  }
  .struck {
    text-decoration: line-through;
  }
  .underline.struck {
    text-decoration: underline line-through;
  }
  .inverse-front {
    color: var(--vscode-editor-background);
  }
  .inverse-back {
    background-color: var(--vscode-editor-foreground);
  }
`
