import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { JobRow } from '#server/store/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { Artifact, Result } from '#shared/model/index.ts'
import type { JobDeps } from './ports.ts'

const FILES = [
  { name: 'result.json', mediaType: 'application/json' },
  { name: 'result.patch', mediaType: 'text/x-diff' },
  { name: 'result.bundle', mediaType: 'application/x-git-bundle' },
] as const
type FileName = (typeof FILES)[number]['name']

/** A finished job with its result. @throws {ApiError} `no_result` */
export function requireResult(job: JobRow): Result {
  if (job.result) return job.result
  throw new ApiError(
    'no_result',
    `Job ${job.id} is ${job.state} and has no result.`,
    job.failure ? { remedy: job.failure.detail } : {},
  )
}

/** Files that belong to a result: made when first asked for, kept until the job is pruned. */
export function createArtifacts({ workspace, directories }: Pick<JobDeps, 'workspace' | 'directories'>) {
  async function write(job: JobRow, name: FileName, file: string): Promise<void> {
    const result = requireResult(job)
    if (name === 'result.json') return writeFile(file, JSON.stringify(result, null, 2), { mode: 0o600 })
    if (!result.commit || !job.snapshot) throw new ApiError('no_result', `Job ${job.id} changed nothing, so there is no ${name}.`)
    if (name === 'result.bundle') return workspace.bundle(job.snapshot, result.commit, `refs/skein/jobs/${job.id}`, file)
    await pipeline(
      workspace.diff(job.snapshot, result.commit, new AbortController().signal),
      createWriteStream(file, { mode: 0o600 }),
    )
  }

  /** @returns the path of the finished file; a crash while it is made leaves only a temporary one. */
  async function file(job: JobRow, name: FileName): Promise<string> {
    const directory = join(directories.artifacts, job.id)
    const path = join(directory, name)
    if (await stat(path).catch(() => null)) return path
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const temporary = `${path}.${process.pid}.${Math.trunc(performance.now() * 1000)}`
    try {
      await write(job, name, temporary)
      await rename(temporary, path)
    } finally {
      await rm(temporary, { force: true })
    }
    return path
  }

  return {
    async list(job: JobRow): Promise<Artifact[]> {
      const { commit } = requireResult(job)
      const present = FILES.filter(({ name }) => commit !== null || name === 'result.json')
      return Promise.all(
        present.map(async ({ name, mediaType }) => {
          const path = await file(job, name)
          const hash = createHash('sha256')
          await pipeline(createReadStream(path), hash)
          return {
            name,
            mediaType,
            bytes: (await stat(path)).size,
            sha256: hash.digest('hex'),
            href: `/v1/jobs/${job.id}/artifacts/${name}`,
          }
        }),
      )
    },
    async open(job: JobRow, name: FileName): Promise<AsyncIterable<Uint8Array>> {
      return createReadStream(await file(job, name))
    },
  }
}
export type Artifacts = ReturnType<typeof createArtifacts>
