import { execFile } from 'node:child_process'
import { access, constants, realpath, stat } from 'node:fs/promises'
import { delimiter, dirname, isAbsolute, join, sep } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const VERSION_TIMEOUT_MS = 10_000

/** A program on this machine. */
export interface Program {
  /** As it was found on PATH. */
  readonly command: string
  /** Behind all links. */
  readonly file: string
  /** Directories a sandbox must show for it to run: its package with everything beside it, or the file alone. */
  readonly mounts: readonly string[]
}

/** Looks a program up the way a shell would, without one. */
export async function findProgram(command: string, path: string): Promise<Program | null> {
  const candidates = isAbsolute(command)
    ? [command]
    : path
        .split(delimiter)
        .filter(isAbsolute)
        .map(directory => join(directory, command))
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK)
      const file = await realpath(candidate)
      if ((await stat(file)).isFile()) return { command: candidate, file, mounts: [...new Set([candidate, mountOf(file)])] }
    } catch {
      // Not there, or not ours to run: the next directory may have it.
    }
  }
  return null
}

/** An npm package needs the whole tree it was installed into; anything else is taken to stand for itself. */
function mountOf(file: string): string {
  const marker = `${sep}node_modules${sep}`
  const at = file.indexOf(marker)
  return at === -1 ? file : file.slice(0, at + marker.length - 1)
}

/** First line of `program --version`. The program is the user's own, on their PATH; it gets no more environment than it needs. */
export async function versionOf(program: Program, path: string): Promise<string | null> {
  try {
    const asked = run(program.command, ['--version'], {
      timeout: VERSION_TIMEOUT_MS,
      killSignal: 'SIGKILL',
      env: { PATH: path, HOME: '/nonexistent', XDG_DATA_HOME: '/nonexistent', NO_COLOR: '1' },
      cwd: dirname(program.file),
    })
    // One that knows no --version, and waits for what its editor says, ends here.
    asked.child.stdin?.on('error', () => {}).end()
    const { stdout } = await asked
    return /\d+\.\d+[^\s]*/.exec(stdout)?.[0]?.replace(/[.,;:]+$/, '') ?? null
  } catch {
    return null
  }
}
