import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { OLDEST_GIT } from '#server/lib/git-version.ts'
import { CliError, EXIT } from './exit-codes.ts'
import type { World } from './world.ts'

const execute = promisify(execFile)

/** Top of the git work tree a directory is in. @throws {CliError} when it is in none. */
export async function repositoryRoot(path: string, { cwd }: Pick<World, 'cwd'>): Promise<string> {
  const directory = resolve(cwd, path)
  try {
    const { stdout } = await execute('git', ['-C', directory, 'rev-parse', '--show-toplevel'])
    return stdout.replace(/\n$/, '')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      throw new CliError(EXIT.unavailable, 'git was not found.', { remedy: `Install git ${OLDEST_GIT} or newer.`, cause })
    }
    throw new CliError(EXIT.usage, `${directory} is not in a git work tree.`, {
      remedy: 'Go into a repository, name one with --repo PATH, or run in an empty directory with --no-repo.',
      cause,
    })
  }
}
