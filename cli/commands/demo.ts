import { runDemo } from '#demo/main.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import type { World } from '../world.ts'

/** Plays a user of this command line, with a server, a repository and a data directory of its own. */
export async function demo(world: World, again: (argv: string[], world: World) => Promise<number>): Promise<ExitCode> {
  const worked = await runDemo({
    env: world.env,
    say: line => world.out.line(line),
    skein: (argv, cwd) => again([...argv], { ...world, cwd }),
  })
  return worked ? EXIT.ok : EXIT.failed
}
