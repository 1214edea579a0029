/** What one row shows. */
export interface RowContent {
  /** Says all that the row depends on: a row with the same key is left alone. */
  readonly key: string
  readonly isCurrent: boolean
  fill(row: HTMLElement): void
}

/**
 * The rows that are seen, as elements. A row that stays is not touched, so that a selection in it stays too; one that leaves is used again,
 * because what is thrown away sixty times a second is collected in pauses that are felt.
 */
export function createRows(container: HTMLElement): {
  /** Shows these lines and no others. @param end not included */
  show(first: number, end: number, contentOf: (line: number) => RowContent): void
} {
  let shown = new Map<number, { readonly element: HTMLElement; readonly key: string }>()
  return {
    show(first, end, contentOf) {
      const next: typeof shown = new Map()
      const left = [...shown].filter(([line]) => line < first || line >= end).map(([, { element }]) => element)
      let place = container.firstChild
      for (let line = first; line < end; line++) {
        const before = shown.get(line)
        const element = before?.element ?? left.pop() ?? document.createElement('div')
        const { key, isCurrent, fill } = contentOf(line)
        if (before?.key !== key) {
          element.className = isCurrent ? 'line current' : 'line'
          element.dataset.number = String(line + 1)
          fill(element)
        }
        next.set(line, { element, key })
        if (place === element) place = element.nextSibling
        else container.insertBefore(element, place)
      }
      while (place) {
        const rest = place
        place = rest.nextSibling
        rest.remove()
      }
      shown = next
    },
  }
}
