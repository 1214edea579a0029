import { accessSync, constants, existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs'
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

/** The one user there is inside. Files of the server's own user are this user's files inside. */
export const INSIDE_UID = 1000
export const HOME = '/home/agent'
export const HOSTNAME = 'sandbox'
export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** A host path shown inside, read-only, at the same place; or a link made anew, because its target is shown. */
type Shown = { readonly path: string } | { readonly path: string; readonly linkTo: string }

const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix/store', '/gnu/store']
/**
 * What programs need of the host's /etc and holds nothing private: certificates (not keys), what links in /usr/bin and the JVM
 * point to.
 */
const ETC = ['alternatives', 'ssl/certs', 'pki/tls/certs', 'pki/ca-trust/extracted', 'java-17-openjdk', 'java-21-openjdk']
/** The same of its files. */
const ETC_COPIES = ['ld.so.cache', 'protocols', 'services']

/** The system as every sandbox sees it. */
export interface SystemView {
  readonly paths: readonly Shown[]
  /** Names of directories of the host's /etc to copy. */
  readonly etc: readonly string[]
  /** Contents of the made-up /etc by name. */
  readonly etcFiles: ReadonlyMap<string, Uint8Array | string>
  /** What /proc tells of the whole machine and nothing inside needs; shown as empty. */
  readonly masked: readonly string[]
}

/** Looks once: what a machine's root directory holds does not change while we run. */
export function lookAtSystem(): SystemView {
  const copies = ETC_COPIES.filter(name => existsSync(`/etc/${name}`)).map(name => [name, readFileSync(`/etc/${name}`)] as const)
  return {
    paths: SYSTEM.filter(path => existsSync(path)).map(shown),
    etc: ETC.filter(name => existsSync(`/etc/${name}`)),
    etcFiles: new Map<string, Uint8Array | string>([...Object.entries(FILES), ...copies]),
    masked: ['/proc/keys', '/proc/timer_list'].filter(path => existsSync(path)),
  }
}

function shown(path: string): Shown {
  return lstatSync(path).isSymbolicLink() ? { path, linkTo: readlinkSync(path) } : { path }
}

/** Where this Node.js and its npm live, unless the system already shows them. */
export function nodePaths(executable = process.execPath): string[] {
  if (executable.startsWith('/usr/')) return []
  const bin = dirname(executable)
  const modules = resolve(bin, '../lib/node_modules')
  return existsSync(modules) ? [bin, modules] : [bin]
}

/** The synthesised part of /etc: one user, no name server, no host but this one. */
const FILES: Readonly<Record<string, string>> = {
  passwd: `agent:x:${INSIDE_UID}:${INSIDE_UID}:agent:${HOME}:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n`,
  group: `agent:x:${INSIDE_UID}:\nnogroup:x:65534:\n`,
  hosts: `127.0.0.1 localhost ${HOSTNAME}\n::1 localhost\n`,
  'resolv.conf': '# The only way out of this sandbox is its proxy; names are resolved there.\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n',
  hostname: `${HOSTNAME}\n`,
}

/**
 * Writes the /etc that all sandboxes of a node share: one mount of a small copy costs a start less than a mount for each directory
 * of the host's. What this user may not read is left out.
 */
export async function writeEtc(directory: string, { etc, etcFiles }: SystemView): Promise<void> {
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true, mode: 0o755 })
  const readable = (path: string) => lstatSync(path).isSymbolicLink() || mayRead(path)
  await Promise.all([
    // Links stay as they are: most lead to /usr, which is shown.
    ...etc.map(name => cp(`/etc/${name}`, join(directory, name), { recursive: true, verbatimSymlinks: true, filter: readable })),
    ...[...etcFiles].map(([name, content]) => writeFile(join(directory, name), content, { mode: 0o644 })),
  ])
}

function mayRead(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}
