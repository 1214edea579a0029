import { CommanderError } from 'commander'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { createProgram, usageExit } from './program.ts'
import { processWorld, type World } from './world.ts'

/**
 * Runs one command line. @param argv without the program's own name. @returns the exit code; see exit-codes.ts. Never rejects.
 */
export async function main(argv: string[], world: World = processWorld()): Promise<number> {
  // A write to a closed pipe is also reported on the stream itself, where nobody listening would end the process.
  const heard = () => {}
  process.stdout.on('error', heard)
  process.stderr.on('error', heard)
  let code: ExitCode = EXIT.ok
  const [own, program] = splitProgram(argv)
  try {
    const done = (ended: ExitCode) => {
      code = ended
    }
    await createProgram(world, program, done, main).parseAsync(own, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return usageExit(error)
    const { reportFailure } = await import('./failure.ts')
    return await reportFailure(world, error).catch(() => EXIT.pipeClosed)
  } finally {
    process.stdout.off('error', heard)
    process.stderr.off('error', heard)
  }
}

/** `run … -- PROGRAM ARGUMENTS`: commander would take the program for more of its own arguments. */
function splitProgram(argv: readonly string[]): [own: string[], program: string[]] {
  const at = argv.indexOf('--')
  return argv[0] === 'run' && at >= 0 ? [argv.slice(0, at), argv.slice(at + 1)] : [[...argv], []]
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
