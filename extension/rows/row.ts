import type { JobId } from '#shared/model/index.ts'
import type { CommandId } from '../manifest/commands.ts'

/** Writes a text in the language of the editor; `{0}` is the first of what follows. */
export type Translate = (message: string, ...values: readonly (string | number)[]) => string

/** A row of a tree, as a view shows it. */
export interface Row {
  /** Unique in its tree. */
  readonly id: string
  readonly label: string
  readonly description?: string
  /** Name of a codicon. */
  readonly icon?: string
  /** Id of a theme colour for it. */
  readonly color?: string
  /** Words that menus ask for. */
  readonly context: string
  /** Whether it has rows of its own, and whether they are shown at first. */
  readonly children?: 'collapsed' | 'expanded'
  /** The job that a click opens. */
  readonly job?: JobId
  /** Where it is written; a click on a row without rows of its own goes there. */
  readonly place?: Place
  /** What a click on it does, when it is none of these. */
  readonly command?: CommandId
}

/** A line of a file of a work tree. */
export interface Place {
  /** Absolute path of the work tree. */
  readonly repository: string
  /** Below that, with forward slashes. */
  readonly path: string
  /** From 0. */
  readonly line: number
}

/** What a view shows, without the editor's types. An id is all a row is asked by, so that a changed row is found again. */
export interface Tree {
  /** @param id null for the root @throws {BackendError} when they have to be read and cannot */
  children(id: string | null): readonly Row[] | Promise<readonly Row[]>
  row(id: string): Row | undefined
  /** The row that holds it; null for one at the root. */
  parent(id: string): string | null
  /** In Markdown; asked when the pointer rests on the row. */
  tooltip(id: string): string | undefined
}
