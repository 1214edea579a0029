import { type Change, isExecutable, isLink, isSafePath, isSubmodule } from './change.ts'
import { type Merge, mergeText, type Replacement } from './merge.ts'

/** Larger ones are not taken through the editor, bytes. */
const MOST_BYTES = 20 * 1024 * 1024

/** What is at a path now: text as the editor has it, saved or not; bytes of what is not open; nothing. */
export type Present =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** A directory, a link, or something below one. */
  | { readonly kind: 'other' }

export type Step =
  | { readonly kind: 'edit'; readonly path: string; readonly replacements: readonly Replacement[]; readonly isMerged: boolean }
  | { readonly kind: 'create'; readonly path: string; readonly content: Uint8Array }
  | { readonly kind: 'overwrite'; readonly path: string; readonly content: Uint8Array }
  | { readonly kind: 'delete'; readonly path: string }
  | { readonly kind: 'mode'; readonly path: string; readonly isExecutable: boolean }

/** Why a file cannot be applied here. */
export type Reason = 'changed-here' | 'exists' | 'gone' | 'link' | 'submodule' | 'too-large' | 'unsafe'
export interface Obstacle {
  readonly path: string
  readonly reason: Reason
}
export interface Plan {
  readonly steps: readonly Step[]
  /** Files that stay as they are. */
  readonly obstacles: readonly Obstacle[]
}

export interface PlanDeps {
  readonly content: (id: string) => Uint8Array
  readonly present: (path: string) => Promise<Present>
  readonly merge: Merge
}

/** What has to be done so that the work tree, as it is in the editor now, has what a job changed. */
export async function planChanges(changes: readonly Change[], deps: PlanDeps): Promise<Plan> {
  const steps: Step[] = []
  const obstacles: Obstacle[] = []
  for (const change of changes) {
    const found = await planChange(change, deps)
    if (typeof found === 'string') obstacles.push({ path: change.path, reason: found })
    else steps.push(...found)
  }
  return { steps, obstacles }
}

async function planChange(change: Change, deps: PlanDeps): Promise<Step[] | Reason> {
  const { kind, path, oldPath, before, after } = change
  if (!isSafePath(path) || !isSafePath(oldPath)) return 'unsafe'
  if (isSubmodule(before) || isSubmodule(after)) return 'submodule'
  if (isLink(before) || isLink(after)) return 'link'
  const base = before.id === null ? null : deps.content(before.id)
  const theirs = after.id === null ? null : deps.content(after.id)
  if (Math.max(base?.length ?? 0, theirs?.length ?? 0) > MOST_BYTES) return 'too-large'
  if (kind === 'renamed') {
    // Undone as one: the old one comes back, the new one goes.
    const removed = await remove(oldPath, base, deps)
    if (typeof removed === 'string') return removed
    const added = await add(path, theirs ?? new Uint8Array(), isExecutable(after), deps)
    return typeof added === 'string' ? added : [...added, ...removed]
  }
  if (theirs === null) return await remove(path, base, deps)
  if (base === null) return await add(path, theirs, isExecutable(after), deps)
  const changed = await modify(path, base, theirs, deps)
  if (typeof changed === 'string' || isExecutable(before) === isExecutable(after)) return changed
  return [...changed, { kind: 'mode', path, isExecutable: isExecutable(after) }]
}

async function add(path: string, theirs: Uint8Array, executable: boolean, deps: PlanDeps): Promise<Step[] | Reason> {
  const now = await deps.present(path)
  const mode: Step[] = executable ? [{ kind: 'mode', path, isExecutable: true }] : []
  if (now.kind === 'nothing') return [{ kind: 'create', path, content: theirs }, ...mode]
  if (now.kind === 'other') return 'unsafe'
  return isSame(now, theirs) ? [] : 'exists'
}

async function remove(path: string, base: Uint8Array | null, deps: PlanDeps): Promise<Step[] | Reason> {
  const now = await deps.present(path)
  if (now.kind === 'nothing') return []
  if (now.kind === 'other') return 'unsafe'
  return base !== null && isSame(now, base) ? [{ kind: 'delete', path }] : 'changed-here'
}

async function modify(path: string, base: Uint8Array, theirs: Uint8Array, deps: PlanDeps): Promise<Step[] | Reason> {
  const now = await deps.present(path)
  if (now.kind === 'nothing') return 'gone'
  if (now.kind === 'other') return 'unsafe'
  if (isSame(now, theirs)) return []
  const [old, here, there] = [textOf(base), now.kind === 'text' ? now.text : textOf(now.bytes), textOf(theirs)]
  if (old !== null && here !== null && there !== null) {
    const replacements = await mergeText(old, here, there, deps.merge)
    if (replacements === null) return 'changed-here'
    return replacements.length === 0 ? [] : [{ kind: 'edit', path, replacements, isMerged: !isSame(now, base) }]
  }
  return isSame(now, base) ? [{ kind: 'overwrite', path, content: theirs }] : 'changed-here'
}

/** A text of the editor has no mark at its beginning, and the line ends of its document. */
function isSame(now: Extract<Present, { kind: 'text' | 'bytes' }>, content: Uint8Array): boolean {
  if (now.kind === 'bytes') return Buffer.compare(now.bytes, content) === 0
  return textOf(content)?.replaceAll('\r\n', '\n') === now.text.replaceAll('\r\n', '\n')
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** @returns null when it is no text */
function textOf(content: Uint8Array): string | null {
  if (content.includes(0)) return null
  try {
    return decoder.decode(content)
  } catch {
    return null
  }
}
