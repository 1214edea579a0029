import { formatDuration } from '#server/lib/units.ts'
import type { Client } from '#shared/contract/index.ts'
import { FeatureName, type JobState, type JobSummary, sanitizeLine } from '#shared/model/index.ts'
import { type ConnectionOptions, connect } from '../connect.ts'
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts'
import { resolveJobId } from '../job-id.ts'
import { pagesOf } from '../pages.ts'
import { renderJob } from '../render/job.ts'
import { renderPlacements } from '../render/placement.ts'
import { STATE_LOOKS } from '../render/state.ts'
import { repositoryRoot } from '../repository.ts'
import { table } from '../table.ts'
import type { World } from '../world.ts'

export interface ListOptions extends ConnectionOptions {
  readonly state?: JobState
  readonly active?: boolean
  readonly spec?: string
  readonly repo?: string
  readonly limit: number
  readonly all?: boolean
  readonly json?: boolean
}

const PAGE = 200

/** Lists jobs, newest first. */
export async function listJobs(world: World, options: ListOptions): Promise<ExitCode> {
  const ofSpec = await specFilter(world, options)
  const { client } = await connect(world, options)
  const wanted = options.all ? Number.POSITIVE_INFINITY : options.limit
  const items: JobSummary[] = []
  let cursor: string | null = null
  do {
    const page: { items: JobSummary[]; nextCursor: string | null } = await client.listJobs({
      query: {
        limit: Math.min(PAGE, wanted - items.length),
        ...(options.state === undefined ? {} : { state: options.state }),
        ...(options.active ? { active: 'true' } : {}),
        ...ofSpec,
        ...(cursor === null ? {} : { cursor }),
      },
    })
    items.push(...page.items)
    cursor = page.nextCursor
  } while (cursor !== null && items.length < wanted)

  if (options.json) {
    await world.out.line(JSON.stringify({ items, nextCursor: cursor }))
  } else if (items.length === 0) {
    await world.err.line(
      options.active || options.state || options.spec ? 'No such jobs.' : 'No jobs yet. Start one with `skein run "…"`.',
    )
  } else {
    for (const line of renderJobs(items, Date.now(), world.out)) await world.out.line(line)
    if (cursor !== null) await world.err.line(world.err.paint('dim', 'There are more: --all, or --limit N.'))
  }
  return EXIT.ok
}

/** @throws {CliError} */
async function specFilter(world: World, { spec, repo }: ListOptions): Promise<{ spec?: string; repository?: string }> {
  if (spec === undefined) {
    if (repo !== undefined) throw new CliError(EXIT.usage, '--repo goes with --spec: it names the work tree of the feature.')
    return {}
  }
  const feature = FeatureName.safeParse(spec.replace(/^specs\//, '').replace(/\/$/, ''))
  if (!feature.success) throw new CliError(EXIT.usage, `--spec takes a feature, such as 001-login, not "${spec}".`)
  return { spec: feature.data, ...(repo === undefined ? {} : { repository: await repositoryRoot(repo, world) }) }
}

/** Lists the features that jobs are for, by name. */
export async function listJobSpecs(world: World, options: ConnectionOptions & { json?: boolean }): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const items: JobSpecs[] = []
  for await (const page of pagesOf(from => client.listJobSpecs({ query: { limit: 1000, ...from } }))) items.push(...page.items)
  if (options.json) await world.out.line(JSON.stringify({ items }))
  else if (items.length === 0) await world.err.line('No job is for a task of a spec. `skein run --spec FEATURE/TASK` starts one.')
  else for (const line of renderJobSpecs(items, world.out)) await world.out.line(line)
  return EXIT.ok
}

type JobSpecs = Awaited<ReturnType<Client['listJobSpecs']>>['items'][number]

const renderJobSpecs = (items: readonly JobSpecs[], terminal: Pick<World['out'], 'columns' | 'paint'>): string[] =>
  table(
    items,
    [
      { title: 'FEATURE', value: ({ feature }) => sanitizeLine(feature) },
      { title: 'JOBS', value: ({ jobs }) => String(jobs), align: 'right' },
      { title: 'REPOSITORY', value: ({ repository }) => sanitizeLine(repository), elastic: true },
    ],
    terminal,
  )

/** The list as a table. @param now ms since 1970 */
export function renderJobs(
  jobs: readonly JobSummary[],
  now: number,
  terminal: Pick<World['out'], 'columns' | 'paint'>,
): string[] {
  return table(
    jobs,
    [
      { title: 'ID', value: job => job.id },
      {
        title: 'STATE',
        value: job => `${STATE_LOOKS[job.state][0]} ${job.state}`,
        paint: (cell, job) => terminal.paint(STATE_LOOKS[job.state][1], cell),
      },
      { title: 'AGENT', value: job => sanitizeLine(job.agent) },
      { title: 'AGE', value: job => formatDuration(now - Date.parse(job.createdAt)), align: 'right' },
      { title: 'TOOK', value: job => took(job, now), align: 'right' },
      { title: 'TASK', value: job => sanitizeLine(job.title), elastic: true },
    ],
    terminal,
  )
}

function took({ startedAt, endedAt }: JobSummary, now: number): string {
  return startedAt === null ? '' : formatDuration((endedAt === null ? now : Date.parse(endedAt)) - Date.parse(startedAt))
}

export async function showJob(
  world: World,
  given: string,
  options: ConnectionOptions & { json?: boolean; why?: boolean },
): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const id = await resolveJobId(client, given)
  if (options.why) return showPlacement(world, client, id, options.json === true)
  const job = await client.getJob({ params: { id } })
  if (options.json) {
    await world.out.line(JSON.stringify(job))
    return EXIT.ok
  }
  const { items } = await client.listPlacements({ params: { id } })
  const lines = renderJob(job, items, world.out.paint)
  for (const line of lines) await world.out.line(line)
  return EXIT.ok
}

async function showPlacement(world: World, client: Client, id: string, json: boolean): Promise<ExitCode> {
  const { items } = await client.listPlacements({ params: { id } })
  if (json) await world.out.line(JSON.stringify({ items }))
  else if (items.length === 0) await world.err.line('Nobody was asked: the node that took the job ran it itself.')
  else for (const line of renderPlacements(items, world.out.paint)) await world.out.line(line)
  return EXIT.ok
}
