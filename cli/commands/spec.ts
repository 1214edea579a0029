import type { SpecEditAccepted, SpecFeature } from '#shared/model/index.ts'
import { type ConnectionOptions, connect } from '../connect.ts'
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts'
import { renderAccepted, renderFeature, renderFeatures, renderProblems } from '../render/specs.ts'
import { repositoryRoot } from '../repository.ts'
import type { World } from '../world.ts'

export interface SpecOptions extends ConnectionOptions {
  readonly json?: boolean
  readonly repo?: string
}

/** The server, and the repository that is meant. */
async function open(world: World, options: SpecOptions) {
  const { client } = await connect(world, options)
  return { client, repository: await repositoryRoot(options.repo ?? world.cwd, world) }
}

/** Lists the features of a repository. */
export async function listSpecs(world: World, options: SpecOptions): Promise<ExitCode> {
  const { client, repository } = await open(world, options)
  const { items, isComplete } = await client.listSpecs({ query: { repository } })
  if (options.json) await world.out.line(JSON.stringify({ items, isComplete }))
  else if (items.length === 0) await world.err.line('No feature has documents under specs/ here.')
  else for (const line of renderFeatures(items, world.out)) await world.out.line(line)
  if (!isComplete) await world.err.line(`There are more features than the ${items.length} that were read.`)
  return EXIT.ok
}

/** Shows a feature: its tasks, with their state in the file and by their jobs, and what is wrong. */
export async function showSpec(world: World, feature: string, options: SpecOptions): Promise<ExitCode> {
  const { client, repository } = await open(world, options)
  const found = await client.getSpec({ params: { feature }, query: { repository } })
  if (options.json) await world.out.line(JSON.stringify(found))
  else for (const line of renderFeature(found, world.out)) await world.out.line(line)
  return EXIT.ok
}

/** Says what is wrong with one feature or all. @returns 1 when there is an error or, where `strict`, a warning */
export async function checkSpecs(
  world: World,
  feature: string | undefined,
  options: SpecOptions & { readonly strict?: boolean },
): Promise<ExitCode> {
  const { client, repository } = await open(world, options)
  const names =
    feature === undefined ? (await client.listSpecs({ query: { repository } })).items.map(one => one.feature) : [feature]
  const features: SpecFeature[] = []
  for (const name of names) features.push(await client.getSpec({ params: { feature: name }, query: { repository } }))
  const problems = features.flatMap(one => one.problems)
  if (options.json)
    await world.out.line(JSON.stringify({ items: features.map(one => ({ feature: one.feature, problems: one.problems })) }))
  else for (const line of renderProblems(problems, world.out)) await world.out.line(line)
  const wrong = problems.filter(({ severity }) => severity === 'error' || (options.strict && severity === 'warning'))
  return wrong.length > 0 ? EXIT.failed : EXIT.ok
}

/** Ticks the box of a task that a job proves done, or clears it: at an editor that has the repository open, else on a branch. */
export async function tickSpec(
  world: World,
  feature: string,
  task: string,
  options: SpecOptions & { readonly clear?: boolean },
): Promise<ExitCode> {
  const { client, repository } = await open(world, options)
  const { tasks, documents } = await client.getSpec({ params: { feature }, query: { repository } })
  const path = tasks.find(({ id }) => id === task)?.path
  const base = documents.find(document => document.path === path)
  if (!base)
    throw new CliError(EXIT.failed, `${feature} has no task ${task}.`, {
      remedy: `\`skein spec show ${feature}\` names those there are.`,
    })
  const accepted: SpecEditAccepted = await client.editSpec({
    params: { feature },
    body: {
      repository,
      reason: `${options.clear ? 'Clear' : 'Tick'} ${task} of ${feature}`,
      bases: [{ path: base.path, sha256: base.sha256 }],
      change: { kind: 'tick', task, done: !options.clear },
    },
  })
  if (options.json) await world.out.line(JSON.stringify(accepted))
  else await world.out.line(renderAccepted(accepted))
  return EXIT.ok
}
