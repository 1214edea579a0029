import { join } from 'node:path'
import { HOME, HOSTNAME, INSIDE_UID, type SystemView } from './system.ts'

/** Inside, where the gateway's socket and the relay stand. */
export const INSIDE_SOCKET = '/run/skein/gateway.sock'
export const INSIDE_RELAY = '/run/skein/relay.mjs'
/** Shared memory is memory, so a small part is enough; most programs want a few pages. */
const SHARED_MEMORY_BYTES = 64 * 2 ** 20

export interface View {
  readonly system: SystemView
  /** More host paths, at the same place. */
  readonly readOnly: readonly string[]
  /** Host directory that becomes /etc. */
  readonly etc: string
  /** Host directory with home/ and tmp/. */
  readonly scratch: string
  readonly workTree: string
  /** Where the work tree stands inside. */
  readonly workDir: string
  readonly gateway: { readonly socket: string; readonly relay: string } | null
  readonly env: Readonly<Record<string, string>>
}

/**
 * The order of bubblewrap's operations is the order of mounts: parents first, the work tree last, and the root sealed at the end.
 * Every namespace is named, since `--unshare-all` alone only *tries* for the user namespace. See bwrap(1).
 */
export function bubblewrapOptions(view: View): string[] {
  const { scratch, system } = view
  return [
    ...['--unshare-all', '--unshare-user', '--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ...['--uid', String(INSIDE_UID), '--gid', String(INSIDE_UID), '--hostname', HOSTNAME],
    ...system.paths.flatMap(show => ('linkTo' in show ? ['--symlink', show.linkTo, show.path] : readOnly(show.path))),
    ...readOnly(view.etc, '/etc'),
    // All of /proc read-only: with the server run by root, the inside is the host's user 0 to the kernel (without its
    // capabilities), and that is all /proc/sys asks of who writes core_pattern.
    ...['--proc', '/proc', ...system.masked.flatMap(path => readOnly('/dev/null', path)), '--remount-ro', '/proc'],
    ...['--dev', '/dev', '--size', String(SHARED_MEMORY_BYTES), '--tmpfs', '/dev/shm', '--remount-ro', '/dev'],
    ...['--bind', join(scratch, 'tmp'), '/tmp', '--bind', join(scratch, 'home'), HOME],
    ...['--symlink', '../tmp', '/var/tmp', '--symlink', '../run', '/var/run'],
    ...view.readOnly.flatMap(path => readOnly(path)),
    ...(view.gateway ? [...readOnly(view.gateway.socket, INSIDE_SOCKET), ...readOnly(view.gateway.relay, INSIDE_RELAY)] : []),
    ...['--bind', view.workTree, view.workDir, '--remount-ro', '/', '--chdir', view.workDir],
    '--clearenv',
    ...Object.entries(view.env).flatMap(([name, value]) => ['--setenv', name, value]),
  ]
}

function readOnly(source: string, place = source): string[] {
  return ['--ro-bind', source, place]
}

/** The form `--args FD` reads: nothing of it shows in a process list. @throws TypeError for a string that holds a NUL. */
export function encodeOptions(options: readonly string[]): Buffer {
  if (options.some(option => option.includes('\0'))) throw new TypeError('An option of a sandbox must not hold a NUL byte')
  return Buffer.from(options.map(option => `${option}\0`).join(''))
}

/**
 * Where the work tree stands inside: always the same place, so that base and result are checked under the same path, unless
 * something else must be shown there.
 */
export function chooseWorkDir(shown: readonly string[]): string {
  const clashes = (place: string) => shown.some(path => path === place || path.startsWith(`${place}/`))
  return clashes('/work') ? '/work-tree' : '/work'
}
