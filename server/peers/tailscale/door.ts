import { execFile } from 'node:child_process'
import { readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Door } from './local-api.ts'

const execute = promisify(execFile)

/** Where the standalone app of macOS leaves its port and token. */
const APP_DIRECTORY = '/Library/Tailscale'
const LSOF_MS = 5_000

export interface Place {
  readonly platform: NodeJS.Platform
  /** A socket that was named by the owner, which rules. */
  readonly socket?: string | undefined
  /** For tests. Default: where macOS has it. */
  readonly appDirectory?: string
}

/** Finds LocalAPI as Tailscale's own command does (`safesocket`, `paths`); nothing says that anybody listens there. */
export async function findDoor({ platform, socket, appDirectory = APP_DIRECTORY }: Place): Promise<Door> {
  if (socket) return { socketPath: socket }
  switch (platform) {
    case 'win32':
      return { socketPath: String.raw`\\.\pipe\ProtectedPrefix\Administrators\Tailscale\tailscaled` }
    case 'darwin':
      return (await storeApp()) ?? (await standaloneApp(appDirectory)) ?? { socketPath: '/var/run/tailscaled.socket' }
    default:
      return { socketPath: '/var/run/tailscale/tailscaled.sock' }
  }
}

/** The app of the App Store holds a file open whose name has both; only its own user sees that. */
async function storeApp(): Promise<Door | null> {
  const argv = ['-n', '-a', `-u${process.getuid?.() ?? 0}`, '-c', 'IPNExtension', '-F']
  const listed = await execute('lsof', argv, { timeout: LSOF_MS }).catch(() => null)
  return listed && doorInListing(listed.stdout)
}

/** @param listing what `lsof -F` prints */
export function doorInListing(listing: string): Door | null {
  const [, port, token] = /\.tailscale\.ipn\.macos\/sameuserproof-(\d{1,5})-(\S+)/.exec(listing) ?? []
  return port && token ? { port: Number(port), token } : null
}

/** The standalone app: a link that "points" at its port, and a file with the token, which administrators can read. */
async function standaloneApp(directory: string): Promise<Door | null> {
  try {
    const port = await readlink(join(directory, 'ipnport'))
    if (!/^\d{1,5}$/.test(port)) return null
    const token = (await readFile(join(directory, `sameuserproof-${port}`), 'utf8')).trim()
    return token === '' ? null : { port: Number(port), token }
  } catch {
    return null
  }
}
