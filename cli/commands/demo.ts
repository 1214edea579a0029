import { runFleetDemo } from '#demo/fleet.ts'
import { runDemo } from '#demo/main.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import type { World } from '../world.ts'

/** Plays a user of this command line, with servers, a repository and data directories of its own. */
export async function demo(
  world: World,
  options: { readonly fleet?: number },
  again: (argv: string[], world: World) => Promise<number>,
): Promise<ExitCode> {
  const stage = {
    env: world.env,
    say: (line: string) => world.out.line(line),
    skein: (argv: readonly string[], cwd: string) => again([...argv], { ...world, cwd }),
  }
  const worked = options.fleet === undefined ? await runDemo(stage) : await runFleetDemo(stage, options.fleet)
  return worked ? EXIT.ok : EXIT.failed
}
