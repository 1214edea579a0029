import type { JobId, Snapshot } from '#shared/model/index.ts'
import type { Cache } from './cache.ts'
import { type Git, GitFailure } from './git.ts'
import { WorkspaceError } from './port.ts'
import { findRepository } from './repository.ts'
import { createScratch } from './scratch.ts'
import { writeBundle } from './ship.ts'

/** Writes `file`: a bundle of the commit under `ref`, for a repository that has the snapshot's base. */
export async function bundleResult(
  deps: { git: Git; scratchRoot: string },
  cache: Cache,
  input: { snapshot: Snapshot; commit: string; ref: string; file: string },
): Promise<void> {
  // The bundle's name for the commit must be a ref, and need not be one of the cache's.
  await using scratch = await createScratch(deps.scratchRoot, {
    objectFormat: await cache.objectFormat(),
    alternates: [cache.objectsDir],
    shallow: await cache.shallow(),
    refs: { [input.ref]: input.commit },
  })
  const has = input.snapshot.base === null ? [] : [input.snapshot.base]
  await writeBundle(deps.git, { trust: 'none', gitDir: scratch.gitDir }, [input.ref], has, input.file)
}

/** Fetches from a bundle into a person's repository: one ref and its objects, nothing else. @throws {WorkspaceError} repository_gone */
export async function bringHome(git: Git, bundle: string, jobId: JobId, repositoryPath: string): Promise<string> {
  const ref = `refs/skein/jobs/${jobId}`
  const source = await findRepository(git, repositoryPath).catch(cause => {
    if (!(cause instanceof WorkspaceError) || cause.code !== 'not_a_repository') throw cause
    throw gone(repositoryPath, cause.message, cause)
  })
  const fetch = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules']
  try {
    await git.run([...fetch, bundle, `+${ref}:${ref}`], { trust: 'user', gitDir: source.gitDir, cwd: source.topLevel })
  } catch (cause) {
    if (cause instanceof GitFailure && /prerequisite|lacks these/i.test(cause.stderr))
      throw gone(repositoryPath, 'the commit the job started from is not there any more', cause)
    throw cause
  }
  return ref
}

function gone(path: string, why: string, cause: unknown): WorkspaceError {
  return new WorkspaceError('repository_gone', `Failed to bring the result to ${path}: ${why}`, {
    cause,
    remedy: 'The result is kept on this node: download its diff and apply it by hand.',
  })
}
