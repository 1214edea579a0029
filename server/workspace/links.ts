import { readBlobs } from './blobs.ts'
import { type Git, type GitOptions, records } from './git.ts'
import { list } from './message.ts'
import { newlyLeaving } from './paths.ts'
import { WorkspaceError } from './port.ts'

/** Refuses a tree in which a symbolic link leads out of it that did not do so before. @throws {WorkspaceError} unsafe_path */
export async function refuseLeavingLinks(git: Git, repository: GitOptions, before: string, after: string): Promise<void> {
  const [old, now] = await Promise.all([linksOf(git, repository, before), linksOf(git, repository, after)])
  const targets = await readTargets(git, repository, [...old.values(), ...now.values()])
  const leaving = newlyLeaving(resolve(old, targets), resolve(now, targets))
  if (leaving.length === 0) return
  throw new WorkspaceError('unsafe_path', `The result holds symbolic links that lead out of the work tree: ${list(leaving)}.`, {
    paths: leaving.slice(0, 100),
    remedy: 'Have the agent use relative links inside the work tree, or copies.',
  })
}

const LINK = '120000 blob '

/** Path to blob id of every symbolic link in a tree. */
async function linksOf(git: Git, repository: GitOptions, tree: string): Promise<Map<string, string>> {
  const { stdout } = await git.run(['ls-tree', '-r', '-z', '--full-tree', tree], repository)
  const links = records(stdout).filter(line => line.startsWith(LINK))
  return new Map(
    links.map(line => {
      const tab = line.indexOf('\t')
      return [line.slice(tab + 1), line.slice(LINK.length, tab)]
    }),
  )
}

async function readTargets(git: Git, repository: GitOptions, ids: readonly string[]): Promise<Map<string, string>> {
  const targets = new Map<string, string>()
  for await (const { id, bytes } of readBlobs(git, repository, [...new Set(ids)]))
    targets.set(id, (targets.get(id) ?? '') + bytes.toString())
  return targets
}

function resolve(links: ReadonlyMap<string, string>, targets: ReadonlyMap<string, string>): Map<string, string> {
  return new Map(Array.from(links, ([path, id]) => [path, targets.get(id) ?? '']))
}
