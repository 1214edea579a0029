import { css, html, LitElement, nothing, svg, type TemplateResult } from 'lit'
import { oncePerFrame } from '../kit/frame.ts'
import { type Box, type Edge, MOST_EDGES, pathOf } from './edges.ts'

interface Line extends Edge {
  readonly d: string
}

/**
 * Lines between the cards of tasks, behind them. They say nothing that the cards do not say in words, so that those who cannot see them miss
 * nothing. Cards are found by their ids among what the parent of this element holds, which is also what they are measured against.
 */
export class EdgesView extends LitElement {
  static override properties = {
    edges: { attribute: false },
    done: { attribute: false },
    chosen: { attribute: false },
    lines: { state: true },
  }
  declare edges: readonly Edge[]
  /** Tasks that nobody has to wait for any more. */
  declare done: ReadonlySet<string>
  /** The task whose lines stand out; null: none. */
  declare chosen: string | null
  declare lines: readonly Line[]
  private readonly drawing = oncePerFrame(() => this.measure())
  private readonly sizes = new ResizeObserver(() => this.drawing.ask())

  static override styles = styles()

  constructor() {
    super()
    this.edges = []
    this.done = new Set()
    this.chosen = null
    this.lines = []
  }

  override connectedCallback(): void {
    super.connectedCallback()
    if (this.parentElement) this.sizes.observe(this.parentElement)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.sizes.disconnect()
    this.drawing.cancel()
  }

  /** Cards may stand elsewhere now. */
  draw(): void {
    this.drawing.ask()
  }

  private measure(): void {
    const area = this.parentElement
    if (!area) return
    const origin = area.getBoundingClientRect()
    const boxes = new Map<string, Box>()
    for (const card of area.querySelectorAll('[data-task]')) {
      const { left, top, width, height } = card.getBoundingClientRect()
      boxes.set(card.getAttribute('data-task') ?? '', { left: left - origin.left, top: top - origin.top, width, height })
    }
    const lines = this.edges.slice(0, MOST_EDGES).flatMap(edge => {
      const [from, to] = [boxes.get(edge.from), boxes.get(edge.to)]
      return from && to ? [{ ...edge, d: pathOf(from, to) }] : []
    })
    if (JSON.stringify(lines) !== JSON.stringify(this.lines)) this.lines = lines
  }

  private toneOf({ from, to }: Edge): string {
    if (this.chosen === from || this.chosen === to) return 'chosen'
    return this.done.has(from) ? 'done' : ''
  }

  override render(): TemplateResult | typeof nothing {
    if (this.lines.length === 0) return nothing
    return html`<svg aria-hidden="true">
      <defs>
        <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" markerWidth="9" markerHeight="9" orient="auto">
          <path d="M 0 0 L 8 4 L 0 8 z" />
        </marker>
      </defs>
      ${this.lines.map(line => svg`<path class="line ${this.toneOf(line)}" data-edge="${line.from} ${line.to}" d=${line.d} marker-end="url(#arrow)" />`)}
    </svg>`
  }
}

function styles() {
  return css`
    svg {
      height: 100%;
      inset: 0;
      overflow: visible;
      pointer-events: none;
      position: absolute;
      width: 100%;
    }
    marker path {
      fill: context-stroke;
    }
    .line {
      fill: none;
      stroke: var(--vscode-charts-blue);
      stroke-width: 1.5;
    }
    .done {
      opacity: 0.35;
    }
    .chosen {
      stroke: var(--vscode-focusBorder);
      stroke-width: 3;
    }
  `
}

customElements.define('skein-edges', EdgesView)
