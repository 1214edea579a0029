import { join } from 'node:path'
import type { Executor, Sandbox } from '#server/executors/index.ts'
import type { Clock } from '#server/lib/clock.ts'
import type { Files } from '#server/lib/files.ts'
import type { Lifetime } from '#server/lib/lifetime.ts'
import type { JobRow } from '#server/store/index.ts'
import type { Workspace } from '#server/workspace/index.ts'
import { isAtLeast, type Limits, type UsedImage } from '#shared/model/index.ts'
import { WorkFailure } from './failures.ts'
import { createNotes } from './notes.ts'

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
 * @param lost told, once a place is gone by no doing of ours, why
 * @param leftovers what nobody has to wait for: to remove a work tree can take longer than the agent did.
 */
export function createPlaces(input: {
  job: JobRow
  root: string
  executor: Executor
  workspace: Workspace
  files: Files
  limits: Limits
  clock: Clock
  signal: AbortSignal
  /** A line for the job's log. */
  note: (line: string) => void
  lost: (reason: unknown) => void
  /** Told of the image of each place that is another than that of the place before. */
  image: (image: UsedImage) => void
  leftovers: Lifetime
}) {
  const { job, root, executor, workspace, files, limits, clock, signal, leftovers } = input
  const { image, isolation: level, gpus } = job.spec
  let told: string | null = null
  const tell = (image: UsedImage | null) => {
    const now = JSON.stringify(image)
    if (image !== null && now !== told) input.image(image)
    told = now
  }
  return async ({ purpose, commit, readOnly, env, gatewaySocket }: PlaceRequest): Promise<Place> => {
    // As few directories as may be: to make one can take a busy file system as long as a mount.
    const directory = join(root, purpose)
    await files.makeDirectory(directory)
    const mounts = commit !== null && job.snapshot ? (await workspace.checkout(job.snapshot, commit, directory)).mounts : []
    const notes = createNotes(clock, input.note)
    const spec = {
      id: `${job.id}.${job.epoch}.${purpose}`,
      workTree: directory,
      isTreeWanted: purpose === 'agent',
      scratch: `${directory}.scratch`,
      readOnly: [...mounts, ...readOnly],
      env: { ...env, ...job.spec.env, SKEIN_JOB_ID: job.id },
      limits,
      gatewaySocket,
      isolation: job.spec.sandbox === 'none' ? ('none' as const) : ('sandbox' as const),
      job: { id: job.id, epoch: job.epoch, purpose },
      ...(image === undefined ? {} : { image }),
      ...(level === undefined ? {} : { level }),
      ...(gpus === undefined ? {} : { gpus }),
      note: notes.add,
    }
    const sandbox = await executor.prepare(spec, signal).finally(notes.close)
    await requireLevel(sandbox, level)
    tell(sandbox.image)
    const isLost = () => input.lost(sandbox.lost.reason)
    sandbox.lost.addEventListener('abort', isLost, { once: true })
    if (sandbox.lost.aborted) isLost()
    return {
      sandbox,
      directory,
      async close() {
        sandbox.lost.removeEventListener('abort', isLost)
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

/** What was asked for is what there is, whatever an executor said before. */
async function requireLevel(sandbox: Sandbox, least: JobRow['spec']['isolation']): Promise<void> {
  if (least === undefined || isAtLeast(sandbox.isolation, least)) return
  await sandbox.end()
  await sandbox.cleanup()
  throw new WorkFailure('sandbox_unavailable', `The job needs isolation ${least}, and its sandbox got ${sandbox.isolation} only.`)
}
