/** One file that a job changed, as `git diff-tree --raw` tells it. */
export interface Change {
  readonly kind: 'added' | 'modified' | 'deleted' | 'renamed'
  /** Below the work tree, with forward slashes. */
  readonly path: string
  /** Where it was, of a renamed one. */
  readonly oldPath: string
  /** Mode and id of the content, before and after; id null where there is none. */
  readonly before: Side
  readonly after: Side
}
interface Side {
  readonly mode: string
  readonly id: string | null
}

const KINDS: Readonly<Record<string, Change['kind']>> = {
  A: 'added',
  C: 'added',
  M: 'modified',
  T: 'modified',
  D: 'deleted',
  R: 'renamed',
}

/** @param output of `git diff-tree -r -z --raw --no-abbrev --find-renames` @throws {Error} when it is none */
export function parseChanges(output: Buffer): Change[] {
  const fields = output.toString('utf8').split('\0')
  const changes: Change[] = []
  for (let at = 0; at < fields.length && fields[at] !== ''; ) {
    const head = /^:(\d{6}) (\d{6}) ([0-9a-f]+) ([0-9a-f]+) ([A-Z])\d*$/.exec(fields[at] ?? '')
    const kind = head?.[5] === undefined ? undefined : KINDS[head[5]]
    if (!head || !kind) throw new Error(`git diff-tree said ${JSON.stringify(fields[at])}, which is not understood`)
    const [, oldMode = '', newMode = '', oldId = '', newId = '', letter] = head
    const isPair = letter === 'R' || letter === 'C'
    const first = fields[at + 1] ?? ''
    const path = isPair ? (fields[at + 2] ?? '') : first
    const isCopy = letter === 'C'
    changes.push({
      kind,
      path,
      oldPath: letter === 'R' ? first : path,
      before: isCopy ? { mode: '000000', id: null } : { mode: oldMode, id: idOf(oldId) },
      after: { mode: newMode, id: idOf(newId) },
    })
    at += isPair ? 3 : 2
  }
  return changes
}

const idOf = (id: string): string | null => (/^0+$/.test(id) ? null : id)

export const isLink = ({ mode }: Side): boolean => mode === '120000'
export const isSubmodule = ({ mode }: Side): boolean => mode === '160000'
export const isExecutable = ({ mode }: Side): boolean => mode === '100755'

/**
 * Whether a path of a result may be written below a work tree at all. Git and the orchestrator take no other; this is the last one who
 * could notice.
 */
export const isSafePath = (path: string): boolean =>
  path !== '' &&
  !path.includes('\\') &&
  path.split('/').every(part => part !== '' && part !== '.' && part !== '..' && part.toLowerCase() !== '.git')
