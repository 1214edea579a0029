import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { quoteC } from './git.ts'
import type { ObjectFormat } from './repository.ts'

export interface GitDirectoryContent {
  readonly objectFormat: ObjectFormat
  /** Object directories to read from. */
  readonly alternates?: readonly string[]
  readonly shallow?: readonly string[]
  /** Full ref name to commit. */
  readonly refs?: Readonly<Record<string, string>>
  /** What HEAD says: `ref: <name>` or a commit. */
  readonly head?: string
  /** More lines of the configuration file. */
  readonly config?: string
}

/** Writes a git directory by hand: `git init` would cost a process and copy templates with hooks. */
export async function writeGitDirectory(directory: string, content: GitDirectoryContent): Promise<void> {
  await Promise.all(
    ['objects/info', 'objects/pack', 'refs/heads', 'info'].map(name => mkdir(join(directory, name), { recursive: true })),
  )
  const files: Record<string, string> = {
    HEAD: `${content.head ?? 'ref: refs/heads/skein'}\n`,
    config: `${formatOf(content.objectFormat)}${content.config ?? ''}`,
  }
  if (content.alternates && content.alternates.length > 0)
    files['objects/info/alternates'] = `${content.alternates.map(alternateLine).join('\n')}\n`
  if (content.shallow && content.shallow.length > 0) files.shallow = `${content.shallow.join('\n')}\n`
  for (const [ref, commit] of Object.entries(content.refs ?? {})) {
    await mkdir(join(directory, dirname(ref)), { recursive: true })
    files[ref] = `${commit}\n`
  }
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(directory, name), text)))
}

/** A private repository that reads other repositories' objects and keeps new ones to itself until it is removed. */
export interface Scratch extends AsyncDisposable {
  readonly gitDir: string
  readonly objectsDir: string
  /** A path for a file of the caller's beside the repository, removed with it. */
  file(name: string): string
}

export async function createScratch(parent: string, content: GitDirectoryContent): Promise<Scratch> {
  await mkdir(parent, { recursive: true, mode: 0o700 })
  const root = await mkdtemp(join(parent, 'scratch-'))
  const gitDir = join(root, 'git')
  await writeGitDirectory(gitDir, content)
  return {
    gitDir,
    objectsDir: join(gitDir, 'objects'),
    file: name => join(root, name),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  }
}

function formatOf(format: ObjectFormat): string {
  return format === 'sha256'
    ? '[core]\n\trepositoryformatversion = 1\n\tfilemode = true\n[extensions]\n\tobjectFormat = sha256\n'
    : '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n'
}

/** A line that starts with a quote is unquoted by git, one that starts with # is a comment. */
function alternateLine(path: string): string {
  return /^[/\w.-]+$/.test(path) ? path : quoteC(path)
}
