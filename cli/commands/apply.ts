import { randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { applyResult, bringHome, createBranch, createGit } from '#server/workspace/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { type Job, type Result, sanitizeLine } from '#shared/model/index.ts'
import { type Connection, type ConnectionOptions, connect } from '../connect.ts'
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts'
import { resolveJobId } from '../job-id.ts'
import { repositoryRoot } from '../repository.ts'
import type { World } from '../world.ts'

export interface ApplyOptions {
  readonly branch?: string
  readonly dryRun?: boolean
  readonly repo?: string
  readonly json?: boolean
}

/** Puts the result of a job into the work tree it came from, or on a branch. */
export async function apply(world: World, given: string, options: ApplyOptions & ConnectionOptions): Promise<ExitCode> {
  const connection = await connect(world, options)
  const id = await resolveJobId(connection.client, given)
  return applyJob(world, connection, await connection.client.getJob({ params: { id } }), options)
}

/** As `apply`, for a job that is known. Nothing is changed when the result does not merge cleanly. */
export async function applyJob(world: World, connection: Connection, job: Job, options: ApplyOptions): Promise<ExitCode> {
  const { id } = job
  const { commit, result } = changedCommit(job)
  const repositoryPath =
    options.repo === undefined ? (job.spec.repository?.path ?? world.cwd) : await repositoryRoot(options.repo, world)
  await fetchResult(connection, job, result, commit, repositoryPath)
  if (options.branch !== undefined) {
    if (!options.dryRun) await createBranch({ repositoryPath, name: options.branch, commit })
    const branch = options.branch
    await tell(world, options, { branch, commit, repository: repositoryPath, dryRun: options.dryRun === true }, [
      `${options.dryRun ? 'Would make' : 'Made'} branch ${branch} at ${commit.slice(0, 12)} in ${sanitizeLine(repositoryPath)}`,
    ])
    return EXIT.ok
  }
  const base = result.snapshot ?? job.snapshot?.commit
  if (base === undefined)
    throw new ApiError('no_result', `Job ${id} did not start from a repository, so there is nothing to apply it to.`)
  const outcome = await applyResult({ repositoryPath, commit, base, dryRun: options.dryRun === true })
  const document = { ...outcome, repository: repositoryPath, dryRun: options.dryRun === true }
  if ('conflicts' in outcome) {
    await tell(world, options, document, [
      world.out.paint(
        'red',
        `The result of ${id} does not apply to ${sanitizeLine(repositoryPath)}; nothing was changed. In the way:`,
      ),
      ...outcome.conflicts.map(path => `  ${sanitizeLine(path)}`),
      `Move your own changes out of the way, or take it as a branch: skein apply ${id} --branch NAME`,
    ])
    return EXIT.conflict
  }
  await tell(world, options, document, [
    outcome.applied.length === 0
      ? `Nothing to do: ${sanitizeLine(repositoryPath)} has these changes already.`
      : `${options.dryRun ? 'Would change' : 'Changed'} ${outcome.applied.length} ${outcome.applied.length === 1 ? 'file' : 'files'} in ${sanitizeLine(repositoryPath)}`,
    ...outcome.applied.map(path => `  ${sanitizeLine(path)}`),
  ])
  return EXIT.ok
}

async function tell(world: World, { json }: ApplyOptions, document: unknown, lines: readonly string[]): Promise<void> {
  for (const line of json ? [JSON.stringify(document)] : lines) await world.out.line(line)
}

/** @throws {CliError} {ApiError} when there is nothing to apply, and why */
function changedCommit({ id, state, result }: Job): { result: Result; commit: string } {
  if (result?.commit) return { result, commit: result.commit }
  if (state === 'succeeded') throw new CliError(EXIT.failed, `Job ${id} changed nothing, so there is nothing to apply.`)
  throw new ApiError('no_result', `Job ${id} is ${state} and has no result to apply.`, {
    remedy: `See \`skein jobs show ${id}\`.`,
  })
}

/** The node brings results home by itself; where it could not, the bundle is fetched from it now. */
async function fetchResult(
  { client }: Connection,
  job: Job,
  result: Result,
  commit: string,
  repositoryPath: string,
): Promise<void> {
  const git = createGit()
  const has = async (object: string) =>
    (await git.run(['cat-file', '-e', `${object}^{commit}`], { trust: 'user', cwd: repositoryPath, exits: [0, 1, 128] })).exit ===
    0
  if ((await has(commit)) && (result.snapshot === null || (await has(result.snapshot)))) return
  const answer = await client.getArtifact({ params: { id: job.id, name: 'result.bundle' } })
  const bundle = join(tmpdir(), `skein-${randomUUID()}.bundle`)
  try {
    await writeFile(bundle, new Uint8Array(await answer.arrayBuffer()), { mode: 0o600, flag: 'wx' })
    await bringHome(git, bundle, job.id, repositoryPath)
  } finally {
    await rm(bundle, { force: true })
  }
}
