import type { Terminal } from './terminal.ts'
import { displayWidth, truncate } from './width.ts'

export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string
  /** Colours a cell after it was cut and padded. */
  readonly paint?: (cell: string, row: Row) => string
  readonly align?: 'left' | 'right'
  /** Whether the column gives way when the terminal is narrow; one a table. */
  readonly elastic?: boolean
}

const GAP = '  '
const NARROWEST = 8

/** Columns of a terminal that a table takes when nothing is cut. */
export function naturalWidth<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): number {
  const widths = columns.map(({ title, value }) => Math.max(displayWidth(title), ...rows.map(row => displayWidth(value(row)))))
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * (columns.length - 1)
}

/** Lines of a table that is no wider than the terminal. Values must be safe to show already. */
export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  terminal: Pick<Terminal, 'columns' | 'paint'>,
): string[] {
  const cells = rows.map(row => columns.map(column => column.value(row)))
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(column.title), ...cells.map(line => displayWidth(line[index] ?? ''))),
  )
  const total = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (columns.length - 1)
  const elastic = columns.findIndex(column => column.elastic)
  if (elastic >= 0 && total > terminal.columns)
    widths[elastic] = Math.max(NARROWEST, (widths[elastic] ?? 0) - (total - terminal.columns))

  const pad = (text: string, index: number): string => {
    const width = widths[index] ?? 0
    const cut = truncate(text, width)
    const space = ' '.repeat(width - displayWidth(cut))
    return columns[index]?.align === 'right' ? space + cut : cut + space
  }
  const header = columns
    .map((column, index) => pad(column.title, index))
    .join(GAP)
    .trimEnd()
  const body = rows.map((row, at) =>
    columns
      .map((column, index) => {
        const text = cells[at]?.[index] ?? ''
        const last = index === columns.length - 1 && column.align !== 'right'
        const cell = last ? truncate(text, widths[index] ?? 0) : pad(text, index)
        return column.paint ? column.paint(cell, row) : cell
      })
      .join(GAP),
  )
  return [terminal.paint('dim', header), ...body]
}
