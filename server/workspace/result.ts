import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#server/lib/clock.ts'
import { type Cache, type Caches, resultRef, updateRefs } from './cache.ts'
import type { Indexes } from './checkout.ts'
import { diffStat, NO_CHANGES } from './diff.ts'
import { type Git, GitFailure } from './git.ts'
import { refuseLeavingLinks } from './links.ts'
import { list } from './message.ts'
import { type ResultCommit, type Workspace, WorkspaceError } from './port.ts'
import { type Changes, type HostileTree, isChanged, reallyChanged, scan, terminated, type Warning } from './scan.ts'
import { createScratch, type Scratch } from './scratch.ts'
import { requireCommit } from './ship.ts'
import { isDirectoryAt, type Submodule, submodulesOf } from './submodules.ts'

export interface ResultDeps {
  readonly git: Git
  readonly caches: Caches
  readonly indexes: Indexes
  readonly clock: Clock
  readonly scratchRoot: string
}

type ResultInput = Parameters<Workspace['commitResult']>[0]

/**
 * Commits what is in the directory, by a git directory and an index of our own: `dir/.git` is not looked at, so whatever an agent did
 * to it (removed it, made it a link, gave it hooks, filters or a file system monitor) has no effect, and what it committed itself
 * counts like any other change.
 */
export async function commitResult(deps: ResultDeps, input: ResultInput): Promise<ResultCommit> {
  const { git } = deps
  const { snapshot } = input
  const cache = await deps.caches.existing(snapshot.repositoryId)
  return cache.gate.shared(async () => {
    await requireCommit(git, cache, snapshot.commit)
    const submodules = await submodulesOf(git, cache.git, snapshot.commit)
    await using scratch = await scratchAt(deps, cache, snapshot.commit)
    const tree = await openTree(deps, cache, scratch, input.dir, snapshot.commit)
    const changes = await scan(git, tree, new Set(submodules.map(({ path }) => path)))
    if (changes.newBytes > input.maxBytes) throw tooLarge(changes, input.maxBytes)
    const encoding = await stage(git, tree, scratch, changes)
    const warnings = [...changes.warnings, ...encoding, ...(await submoduleWarnings(deps, cache, input.dir, submodules))]
    const written = await git.text(['write-tree'], tree)
    if (changes.links) await refuseLeavingLinks(git, cache.git, snapshot.commit, written)
    const commit = await commitTree(deps, cache, written, input)
    await deps.indexes.forget(input.dir)
    if (commit === null) return { commit, diffStat: NO_CHANGES, warnings }
    return { commit, diffStat: await diffStat(git, cache.git, snapshot.commit, commit), warnings }
  })
}

async function scratchAt(deps: ResultDeps, cache: Cache, head: string): Promise<Scratch> {
  return createScratch(deps.scratchRoot, { objectFormat: await cache.objectFormat(), head, alternates: [cache.objectsDir] })
}

/** The directory as our own git directory sees it. The index of the check-out spares reading what was not touched; a crash may have taken it. */
async function openTree(deps: ResultDeps, cache: Cache, scratch: Scratch, dir: string, commit: string): Promise<HostileTree> {
  const indexFile = scratch.file('index')
  const tree: HostileTree = {
    trust: 'none',
    gitDir: scratch.gitDir,
    workTree: dir,
    cwd: dir,
    indexFile,
    objectsDir: cache.objectsDir,
  }
  if (!(await deps.indexes.take(dir, commit, indexFile))) await deps.git.run(['read-tree', commit], tree)
  return tree
}

/** What an agent changed inside submodules cannot be part of one commit; it is not lost without a word. */
async function submoduleWarnings(
  deps: ResultDeps,
  cache: Cache,
  dir: string,
  submodules: readonly (Submodule & { isPresent: boolean })[],
): Promise<Warning[]> {
  const changed: string[] = []
  for (const { path, commit, isPresent } of submodules) {
    const directory = join(dir, path)
    if (!(await isDirectoryAt(dir, path))) changed.push(path)
    else if (!isPresent) changed.push(...((await readdir(directory)).length > 0 ? [path] : []))
    else {
      await using scratch = await scratchAt(deps, cache, commit)
      if (await isChanged(deps.git, await openTree(deps, cache, scratch, directory, commit))) changed.push(path)
    }
    await deps.indexes.forget(directory)
  }
  if (changed.length === 0) return []
  return [{ code: 'submodule_changed', detail: `Changes to submodules are not part of the result: ${list(changed)}.` }]
}

/** Attributes of the tree convert line ends and encodings, by git itself; where the content does not fit them, it is taken as it is. */
async function stage(git: Git, tree: HostileTree, scratch: Scratch, changes: Changes): Promise<Warning[]> {
  if (changes.remove.length > 0)
    await git.run(['update-index', '--force-remove', '-z', '--stdin'], { ...tree, stdin: terminated(changes.remove) })
  const write = await reallyChanged(git, tree, changes)
  if (write.length === 0) return []
  const add = () => git.run(['update-index', '--add', '--replace', '-z', '--stdin'], { ...tree, stdin: terminated(write) })
  try {
    await add()
    return []
  } catch (cause) {
    if (!(cause instanceof GitFailure && /encod|BOM/i.test(cause.stderr))) throw cause
    await mkdir(join(scratch.gitDir, 'info'), { recursive: true })
    await writeFile(join(scratch.gitDir, 'info/attributes'), '* -working-tree-encoding\n')
    await add()
    return [
      { code: 'attributes_ignored', detail: 'A file does not have the encoding .gitattributes gives it; it was taken as it is.' },
    ]
  }
}

async function commitTree(deps: ResultDeps, cache: Cache, tree: string, input: ResultInput): Promise<string | null> {
  const { git } = deps
  const { snapshot } = input
  if (tree === (await git.text(['rev-parse', `${snapshot.commit}^{tree}`], cache.git))) return null
  const date = `${Math.floor(deps.clock.now() / 1000)} +0000`
  const commit = await git.text(['commit-tree', tree, '-p', snapshot.commit, '-F', '-'], {
    ...cache.git,
    env: { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date },
    stdin: commitMessage(input.message, input.trailers),
  })
  await updateRefs(git, cache, [{ ref: resultRef(input.jobId, input.epoch), commit }])
  return commit
}

/** Subject, and trailers that no value can break out of. */
function commitMessage(message: string, trailers: Readonly<Record<string, string>>): string {
  const text = message.replaceAll('\0', '').trim() || 'Result without a title'
  const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value.replace(/[\0\r\n]+/g, ' ').trim()}`)
  return `${text}\n${lines.length > 0 ? `\n${lines.join('\n')}\n` : ''}`
}

function tooLarge(changes: Changes, maxBytes: number): WorkspaceError {
  return new WorkspaceError(
    'too_large',
    `The result adds ${changes.newBytes} bytes in ${changes.write.length} files; the limit is ${maxBytes}.`,
    {
      paths: changes.write.slice(0, 100).map(String),
      remedy: 'Add what the agent built to .gitignore, or raise limits.diskBytes of the job.',
    },
  )
}
