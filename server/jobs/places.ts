import { join } from 'node:path'
import type { Executor, Sandbox } from '#server/executors/index.ts'
import type { Files } from '#server/lib/files.ts'
import type { Lifetime } from '#server/lib/lifetime.ts'
import type { JobRow } from '#server/store/index.ts'
import type { Workspace } from '#server/workspace/index.ts'
import type { Limits } from '#shared/model/index.ts'

/** A fresh sandbox around a fresh work tree. */
export interface Place {
  readonly sandbox: Sandbox
  /** The work tree on the host. */
  readonly directory: string
  close(): Promise<void>
}

export interface PlaceRequest {
  /** What it is for: part of its name, unique within the attempt. */
  readonly purpose: string
  /** Commit to check out; null for an empty directory. */
  readonly commit: string | null
  readonly readOnly: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly gatewaySocket: string | null
}

/**
 * Makes the places of one attempt, all below its directory.
 * @param leftovers what nobody has to wait for: to remove a work tree can take longer than the agent did.
 */
export function createPlaces(input: {
  job: JobRow
  root: string
  executor: Executor
  workspace: Workspace
  files: Files
  limits: Limits
  leftovers: Lifetime
}) {
  const { job, root, executor, workspace, files, limits, leftovers } = input
  return async ({ purpose, commit, readOnly, env, gatewaySocket }: PlaceRequest): Promise<Place> => {
    // As few directories as may be: to make one can take a busy file system as long as a mount.
    const directory = join(root, purpose)
    await files.makeDirectory(directory)
    const mounts = commit !== null && job.snapshot ? (await workspace.checkout(job.snapshot, commit, directory)).mounts : []
    const sandbox = await executor.prepare({
      id: `${job.id}.${job.epoch}.${purpose}`,
      workTree: directory,
      scratch: `${directory}.scratch`,
      readOnly: [...mounts, ...readOnly],
      env: { ...env, ...job.spec.env, SKEIN_JOB_ID: job.id },
      limits,
      gatewaySocket,
      isolation: job.spec.sandbox === 'none' ? 'none' : 'sandbox',
      job: { id: job.id, epoch: job.epoch, purpose },
    })
    return {
      sandbox,
      directory,
      async close() {
        await sandbox.end()
        // What cannot be removed is tried again, and told of, with the whole directory of the attempt.
        const removed = sandbox
          .cleanup()
          .then(() => files.remove(directory))
          .catch(() => {})
        leftovers.defer(() => removed)
      },
    }
  }
}
export type OpenPlace = ReturnType<typeof createPlaces>
