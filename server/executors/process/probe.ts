import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutorProbe } from '../index.ts'
import { encodeOptions } from './bubblewrap.ts'

const execute = promisify(execFile)
const TRY_TIMEOUT_MS = 10_000

/** What of this machine sandboxes are made with. */
export interface Tools {
  readonly bubblewrap: string | null
  readonly prlimit: string | null
}

export function findTools(path = process.env.PATH ?? ''): Tools {
  return { bubblewrap: findProgram('bwrap', path), prlimit: findProgram('prlimit', path) }
}

function findProgram(name: string, path: string): string | null {
  for (const directory of [...path.split(delimiter), '/usr/bin', '/bin']) {
    const file = join(directory, name)
    if (directory.startsWith('/') && isExecutable(file)) return file
  }
  return null
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Makes a real sandbox, since only that tells whether the kernel lets us. */
export async function probeBubblewrap(tools: Tools, groups: 'v1' | 'v2' | null): Promise<ExecutorProbe> {
  const unavailable = (detail: string, remedy: string, version: string | null = null): ExecutorProbe => ({
    available: false,
    isolation: 'none',
    version,
    detail,
    remedy,
  })
  const { bubblewrap, prlimit } = tools
  if (!bubblewrap) return unavailable('bubblewrap is not installed', installCommand('bubblewrap'))
  if (!prlimit) return unavailable('prlimit, which sets limits, is not installed', installCommand('util-linux'))
  const version = await execute(bubblewrap, ['--version'], { timeout: TRY_TIMEOUT_MS }).then(
    ({ stdout }) => stdout.trim().split(' ').at(-1) ?? null,
    () => null,
  )
  const failure = await tryBubblewrap(bubblewrap)
  if (failure !== null) return unavailable(`bubblewrap cannot make a sandbox: ${failure}`, namespaceRemedy(), version)
  const limits = groups
    ? `limits by control groups ${groups} and rlimits`
    : 'limits by rlimits for each process; no control group can be written'
  const filter = process.arch === 'x64' || process.arch === 'arm64' ? 'seccomp filter' : `no seccomp filter for ${process.arch}`
  return { available: true, isolation: 'process', version, detail: `bubblewrap ${version}, ${filter}, ${limits}`, remedy: null }
}

/** macOS carries sandbox-exec itself; deprecated for years and used by the system's own services. */
export async function probeSeatbelt(): Promise<ExecutorProbe> {
  const file = '/usr/bin/sandbox-exec'
  const failure = await execute(file, ['-p', '(version 1)(allow default)', '/usr/bin/true'], { timeout: TRY_TIMEOUT_MS }).then(
    () => null,
    (error: Error) => error.message,
  )
  return failure === null
    ? {
        available: true,
        isolation: 'process',
        version: null,
        detail: 'sandbox-exec; limits by ulimit for each process',
        remedy: null,
      }
    : {
        available: false,
        isolation: 'none',
        version: null,
        detail: `sandbox-exec cannot make a sandbox: ${failure}`,
        remedy: 'It is part of macOS; a process that is in a sandbox itself cannot use it.',
      }
}

/** @returns what bubblewrap said, or null when it worked. */
async function tryBubblewrap(bubblewrap: string): Promise<string | null> {
  const options = [
    '--unshare-all',
    '--unshare-user',
    '--die-with-parent',
    '--ro-bind',
    '/',
    '/',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
  ]
  try {
    const child = execute(bubblewrap, ['--args', '0', '--', '/bin/sh', '-c', ':'], { timeout: TRY_TIMEOUT_MS, env: {} })
    child.child.stdin?.on('error', () => {})
    child.child.stdin?.end(encodeOptions(options))
    await child
    return null
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string }
    return stderr?.trim() || message
  }
}

/** Ubuntu 24.04 and later let only programs with a profile make user namespaces; older kernels have their own switches. */
function namespaceRemedy(): string {
  if (sysctl('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return 'AppArmor restricts user namespaces: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (and a file in /etc/sysctl.d to keep it), or an AppArmor profile for bwrap that allows userns'
  }
  if (sysctl('kernel/unprivileged_userns_clone') === '0') return 'sudo sysctl -w kernel.unprivileged_userns_clone=1'
  if (sysctl('user/max_user_namespaces') === '0') return 'sudo sysctl -w user.max_user_namespaces=15000'
  return 'In a container, user namespaces and mounts must be allowed (Docker: --security-opt seccomp=unconfined --security-opt systempaths=unconfined); or start the server outside of it'
}

function sysctl(name: string): string | null {
  try {
    return readFileSync(`/proc/sys/${name}`, 'latin1').trim()
  } catch {
    return null
  }
}

const INSTALLERS: readonly [program: string, command: string][] = [
  ['/usr/bin/apt-get', 'sudo apt-get install'],
  ['/usr/bin/dnf', 'sudo dnf install'],
  ['/usr/bin/pacman', 'sudo pacman -S'],
  ['/sbin/apk', 'sudo apk add'],
  ['/usr/bin/zypper', 'sudo zypper install'],
]

export function installCommand(name: string, exists: (file: string) => boolean = existsSync): string {
  const [, command] = INSTALLERS.find(([program]) => exists(program)) ?? []
  return command ? `${command} ${name}` : `Install the package ${name}`
}
