import { type ConnectionOptions, connect } from '../connect.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { renderFeature, renderFeatures } from '../render/specs.ts'
import { repositoryRoot } from '../repository.ts'
import type { World } from '../world.ts'

export interface SpecOptions extends ConnectionOptions {
  readonly json?: boolean
  readonly repo?: string
}

export async function listSpecs(world: World, options: SpecOptions): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const found = await client.listSpecs({ query: { repository: await repositoryRoot(options.repo ?? world.cwd, world) } })
  if (options.json) await world.out.line(JSON.stringify(found))
  else if (found.items.length === 0) await world.err.line('No feature has documents under specs/ here.')
  else for (const line of renderFeatures(found.items, world.out)) await world.out.line(line)
  return EXIT.ok
}

export async function showSpec(world: World, feature: string, options: SpecOptions): Promise<ExitCode> {
  const { client } = await connect(world, options)
  const repository = await repositoryRoot(options.repo ?? world.cwd, world)
  const found = await client.getSpec({ params: { feature }, query: { repository } })
  if (options.json) await world.out.line(JSON.stringify(found))
  else for (const line of renderFeature(found, world.out)) await world.out.line(line)
  return EXIT.ok
}
