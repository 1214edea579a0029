/** What a side is given to work with. */
export interface SideContext {
  /** An empty directory of its own, on the disk that is measured; removed afterwards. */
  readonly directory: string
  /** What `prepare` made for all runs of this bench; not to be changed. */
  readonly fixture: string
  /** Undone in reverse order when the side has answered. */
  defer(undo: () => void | Promise<void>): void
}

/** Measures one thing once, in a process of its own, and answers with one figure in the bench's unit. */
export type Side = (context: SideContext) => Promise<number>

/** Two things measured in turns: `a` is the product, `b` what it is held against. */
export interface Bench {
  /** What `npm run bench <name>` calls it. */
  readonly name: string
  readonly a: { readonly what: string; readonly run: Side }
  readonly b: { readonly what: string; readonly run: Side }
  /** Side `a` with a slowdown put round the product from outside. The harness must see the ratio move, or it measures nothing. */
  readonly planted: { readonly what: string; readonly run: Side }
  /** What side `a` could reach at most on this machine: the same without the product. For a bar that may be out of reach. */
  readonly ceiling?: { readonly what: string; readonly run: Side }
  /** Makes, once a bench and before the first pair, what its sides only read: into the directory `fixture`. @returns how to undo more than that */
  readonly prepare?: (fixture: string) => Promise<unknown | (() => Promise<void>)>
  /** Why it cannot be run on this machine; null when it can. */
  readonly missing?: () => string | null
  readonly unit: string
  /** What is looked at: a/b (the default), a - b in the unit, or a in the unit, with b beside it only to say what that is worth. */
  readonly compare?: 'ratio' | 'difference' | 'alone'
  /** What that must hold, and so whether higher or lower figures are better. */
  readonly bar: { readonly atLeast: number } | { readonly atMost: number }
  /** What else a reader should know to trust or repeat the figure. */
  readonly note?: string
}

/** A file `<name>.bench.ts` exports one of these, or several, as its default. */
export const defineBench = (...benches: readonly Bench[]): readonly Bench[] => benches
