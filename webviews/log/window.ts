/** No browser lays out an element that is much higher (Firefox: 17.9 million pixels). */
const HIGHEST = 16_000_000
/** Rows drawn past either edge. */
const MARGIN = 8

export interface Viewport {
  /** Pixels. */
  readonly scrollTop: number
  readonly height: number
  readonly rowHeight: number
  readonly count: number
}

export interface Window_ {
  /** Height of all rows, pixels; past 16 million it is less, and a step of the scroll bar is more than its pixels. */
  readonly total: number
  readonly first: number
  /** Not included. */
  readonly end: number
  /** Where the first row is drawn, pixels from the top of all rows. */
  readonly top: number
}

/** How many pixels of rows one pixel of scrolling is. */
function scale({ height, rowHeight, count }: Omit<Viewport, 'scrollTop'>): number {
  const whole = count * rowHeight
  return whole <= HIGHEST ? 1 : (whole - height) / (HIGHEST - height)
}

/** Which rows to draw. */
export function windowOf(viewport: Viewport): Window_ {
  const { height, rowHeight, count } = viewport
  const total = Math.min(count * rowHeight, HIGHEST)
  const scrollTop = Math.max(0, Math.min(viewport.scrollTop, total - height))
  const at = scrollTop * scale(viewport)
  const visible = Math.floor(at / rowHeight)
  const first = Math.max(0, Math.min(visible, count) - MARGIN)
  const end = Math.min(count, visible + Math.ceil(height / rowHeight) + 1 + MARGIN)
  return { total, first, end, top: scrollTop - (at - first * rowHeight) }
}

/** The scroll position that shows a row in the middle. */
export function scrollTo(row: number, viewport: Omit<Viewport, 'scrollTop'>): number {
  const { height, rowHeight, count } = viewport
  const wanted = row * rowHeight - (height - rowHeight) / 2
  const whole = count * rowHeight
  return Math.max(0, Math.min(wanted, whole - height)) / scale(viewport)
}
