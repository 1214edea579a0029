import { execFile } from 'node:child_process'
import { rm, rmdir } from 'node:fs/promises'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const ENV = { PATH: '/usr/bin:/bin', LC_ALL: 'C' }

/**
 * Removes a file, or a directory with whatever a program left in it: directories it took its own permissions from (Go's module cache is made
 * so), and trees too deep for their paths to be named, which chmod(1) and rm(1) walk step by step. Links are not followed.
 * What is not there is fine. @throws {Error} when something stays.
 */
export async function removeTree(directory: string): Promise<void> {
  // What stood round work trees is empty when it goes, and so is the work tree of a job without a repository: one call then.
  const wasEmpty = await rmdir(directory).then(
    () => true,
    () => false,
  )
  if (wasEmpty) return
  try {
    await rm(directory, { recursive: true, force: true })
  } catch {
    const options = { env: ENV }
    // What it says of one file does not matter: rm tells whether anything stays.
    await execute('chmod', ['-R', 'u+rwX', '--', directory], options).catch(() => {})
    await execute('rm', ['-rf', '--', directory], options)
  }
}
