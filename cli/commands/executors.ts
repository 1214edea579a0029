import { stringify } from 'yaml'
import { clusterSetup } from '#server/compose.ts'
import { resolveConfig } from '#server/config.ts'
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts'
import type { World } from '../world.ts'

interface Options {
  readonly config?: string
  readonly dataDir?: string
  readonly apply?: boolean
  readonly sandboxes: number
  readonly json?: boolean
}

/** Prints what a cluster needs for sandboxes of this node, for `kubectl apply -f -` or to be read; or puts it there. */
export async function setupKubernetes(world: World, options: Options): Promise<ExitCode> {
  const { env, cwd, out, err } = world
  const { config } = await resolveConfig({ flags: { config: options.config, dataDir: options.dataDir }, env, cwd })
  try {
    const setup = await clusterSetup(config, options.sandboxes)
    if (!options.apply) {
      const list = { apiVersion: 'v1', kind: 'List', items: setup.objects }
      await out.write(
        options.json ? `${JSON.stringify(list)}\n` : setup.objects.map(object => `---\n${stringify(object)}`).join(''),
      )
      return EXIT.ok
    }
    const where = await setup.apply()
    const names = setup.objects.map(({ kind, metadata }) => ({ kind, name: metadata.name }))
    if (options.json) await out.line(JSON.stringify({ cluster: where, applied: names }))
    else for (const { kind, name } of names) await out.line(`${kind} ${name}`)
    await err.line(`Applied to ${where}. \`skein doctor\` says what may be done there now.`)
    return EXIT.ok
  } catch (error) {
    const { message, remedy } = error as Error & { remedy?: string }
    throw new CliError(EXIT.failed, message, { cause: error, ...(remedy === undefined ? {} : { remedy }) })
  }
}
