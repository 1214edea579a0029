import { css } from 'lit'

export const runStyles = css`
  dl {
    display: flex;
    flex-wrap: wrap;
    gap: 4px 20px;
    margin: 8px 0;
  }
  dl div {
    display: flex;
    gap: 6px;
  }
  dt {
    color: var(--vscode-descriptionForeground);
  }
  dd {
    margin: 0;
  }
  .graph {
    isolation: isolate;
    padding-right: 20px;
    position: relative;
  }
  skein-edges {
    inset: 0;
    pointer-events: none;
    position: absolute;
    z-index: -1;
  }
  .then {
    margin-right: 8px;
  }
  .waves,
  .wave {
    list-style: none;
    margin: 0;
    padding: 0;
  }
  .waves {
    border-left: 2px solid var(--vscode-panel-border);
    display: grid;
    gap: 26px;
    padding-left: 14px;
  }
  .wave {
    display: grid;
    gap: 10px;
    grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr));
  }
  .task {
    overflow-wrap: anywhere;
    padding: 8px 12px;
  }
  .task p {
    margin: 4px 0;
  }
  td:first-child {
    white-space: nowrap;
  }
`
