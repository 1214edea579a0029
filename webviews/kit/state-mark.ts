import { css, html, svg, type TemplateResult } from 'lit'
import type { JobState } from '#shared/model/index.ts'

type Look = 'waiting' | 'working' | 'good' | 'bad' | 'stopped'

const LOOKS: Readonly<Record<JobState, Look>> = {
  queued: 'waiting',
  placing: 'waiting',
  preparing: 'working',
  running: 'working',
  checking: 'working',
  succeeded: 'good',
  failed: 'bad',
  cancelled: 'stopped',
}
const SHAPES: Readonly<Record<Look, TemplateResult>> = {
  waiting: svg`<circle cx="8" cy="8" r="5.5" />`,
  working: svg`<circle cx="8" cy="8" r="5.5" class="track" /><path d="M8 2.5a5.5 5.5 0 0 1 5.5 5.5" />`,
  good: svg`<path d="M3 8.5 6.5 12 13 4.5" />`,
  bad: svg`<path d="M4 4l8 8M12 4l-8 8" />`,
  stopped: svg`<circle cx="8" cy="8" r="5.5" /><path d="M4.2 11.8l7.6-7.6" />`,
}

/** Whether a job is over. */
export const isOver = (state: JobState): boolean => !['waiting', 'working'].includes(LOOKS[state])

/** The state of a job as a mark and a word. */
export const stateMark = (state: JobState): TemplateResult => html`<span class="state ${LOOKS[state]}">
    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">${SHAPES[LOOKS[state]]}</svg>${state}</span
  >`

export const stateStyles = css`
  .state {
    align-items: center;
    display: inline-flex;
    gap: 6px;
    white-space: nowrap;
  }
  .state svg {
    fill: none;
    flex: none;
    stroke: currentcolor;
    stroke-linecap: round;
    stroke-width: 1.8;
  }
  .state.waiting,
  .state.stopped {
    color: var(--vscode-descriptionForeground);
  }
  .state.working {
    color: var(--vscode-textLink-foreground);
  }
  .state.working .track {
    opacity: 0.25;
  }
  .state.working svg {
    animation: turn 1.2s linear infinite;
  }
  .state.good {
    color: var(--vscode-testing-iconPassed);
  }
  .state.bad {
    color: var(--vscode-errorForeground);
  }
  @keyframes turn {
    to {
      rotate: 1turn;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    .state.working svg {
      animation: none;
    }
  }
`
