/** One file of a git patch. */
export interface PatchFile {
  readonly path: string
  /** Where it was before, when that was elsewhere. */
  readonly oldPath: string | null
  readonly kind: 'changed' | 'added' | 'deleted' | 'renamed'
  readonly isBinary: boolean
  readonly insertions: number
  readonly deletions: number
  readonly lines: readonly PatchLine[]
}

export interface PatchLine {
  readonly kind: 'hunk' | 'same' | 'added' | 'removed' | 'note'
  readonly text: string
  readonly oldNumber: number | null
  readonly newNumber: number | null
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type File = Mutable<Omit<PatchFile, 'lines'>> & { lines: PatchLine[] }

/** Reads a patch as `git diff` writes it. What it does not understand it passes over: nothing here is applied. */
export function parsePatch(text: string): readonly PatchFile[] {
  const files: File[] = []
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  let file: File | undefined
  /** Lines of the hunk that are still to come. */
  let left = { old: 0, new: 0 }
  let at = { old: 0, new: 0 }
  for (const line of lines) {
    if (file && (left.old > 0 || left.new > 0)) {
      body(file, line, left, at)
      continue
    }
    if (line.startsWith('diff --git ')) {
      file = begin(line)
      files.push(file)
    } else if (file) {
      const hunk = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(.*)$/.exec(line)
      if (hunk) {
        at = { old: Number(hunk[1]), new: Number(hunk[3]) }
        left = { old: Number(hunk[2] ?? 1), new: Number(hunk[4] ?? 1) }
        file.lines.push({ kind: 'hunk', text: line, oldNumber: null, newNumber: null })
      } else if (line.startsWith('\\')) file.lines.push({ kind: 'note', text: line.slice(2), oldNumber: null, newNumber: null })
      else header(file, line)
    }
  }
  return files
}

function body(file: File, line: string, left: { old: number; new: number }, at: { old: number; new: number }): void {
  const [mark, text] = [line[0], line.slice(1)]
  if (mark === '+') {
    file.insertions++
    left.new--
    file.lines.push({ kind: 'added', text, oldNumber: null, newNumber: at.new++ })
  } else if (mark === '-') {
    file.deletions++
    left.old--
    file.lines.push({ kind: 'removed', text, oldNumber: at.old++, newNumber: null })
  } else if (mark === '\\') file.lines.push({ kind: 'note', text: line.slice(2), oldNumber: null, newNumber: null })
  else {
    left.old--
    left.new--
    file.lines.push({ kind: 'same', text, oldNumber: at.old++, newNumber: at.new++ })
  }
}

function begin(line: string): File {
  const names = line.slice('diff --git '.length)
  // Without a later line that names it, both names are the same, so the half of it is one.
  const path = names.startsWith('"') ? unquoted(names.split('" ')[0] ?? '', 'a/') : names.slice(2, (names.length - 1) / 2)
  return { path, oldPath: null, kind: 'changed', isBinary: false, insertions: 0, deletions: 0, lines: [] }
}

function header(file: File, line: string): void {
  const [, from] = /^(?:rename|copy) from (.*)$/.exec(line) ?? []
  const [, to] = /^(?:rename|copy) to (.*)$/.exec(line) ?? []
  if (from !== undefined) Object.assign(file, { oldPath: unquoted(from, ''), kind: 'renamed' })
  else if (to !== undefined) file.path = unquoted(to, '')
  else if (line.startsWith('new file mode')) file.kind = 'added'
  else if (line.startsWith('deleted file mode')) file.kind = 'deleted'
  else if (line.startsWith('Binary files ') || line === 'GIT binary patch') file.isBinary = true
  else if (line.startsWith('+++ ') && line !== '+++ /dev/null') file.path = unquoted(line.slice(4), 'b/')
}

/** A name as git writes it: in quotes, with octal bytes, when there is anything unusual in it. */
function unquoted(name: string, prefix: string): string {
  const plain = name.replace(/\t$/, '')
  if (!plain.startsWith('"')) return plain.startsWith(prefix) ? plain.slice(prefix.length) : plain
  const bytes: number[] = []
  const named: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, '"': 34, '\\': 92 }
  for (const [, octal, escaped, char] of plain.replaceAll(/^"|"$/g, '').matchAll(/\\([0-7]{3})|\\(.)|([^\\])/gsu)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8))
    else if (escaped !== undefined) bytes.push(named[escaped] ?? 63)
    else bytes.push(...new TextEncoder().encode(char))
  }
  const decoded = new TextDecoder().decode(Uint8Array.from(bytes))
  return decoded.startsWith(prefix) ? decoded.slice(prefix.length) : decoded
}
