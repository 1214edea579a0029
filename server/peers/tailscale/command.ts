import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

const ANSWER_BYTES = 64 * 1024 * 1024
const MAC_APP = '/Applications/Tailscale.app/Contents/MacOS/Tailscale'

/** Finds the `tailscale` command. @param path directories, as in PATH */
export async function findCommand(path: string, platform: NodeJS.Platform): Promise<string | null> {
  const name = platform === 'win32' ? 'tailscale.exe' : 'tailscale'
  // A relative directory would let whoever owns the working directory say what runs.
  const places = path.split(delimiter).filter(isAbsolute)
  for (const file of [...places.map(place => join(place, name)), ...(platform === 'darwin' ? [MAC_APP] : [])])
    if (
      await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return file
  return null
}

/** Asks by the command, which may be let in where we are not. @throws {Error} */
export async function askCommand(
  file: string,
  socket: string | undefined,
  argv: string[],
  signal: AbortSignal,
): Promise<unknown> {
  const { stdout } = await execute(file, [...(socket ? [`--socket=${socket}`] : []), ...argv], {
    signal,
    maxBuffer: ANSWER_BYTES,
    encoding: 'utf8',
  })
  return JSON.parse(stdout)
}
