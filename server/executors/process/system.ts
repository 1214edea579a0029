import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

/** The one user there is inside. Files of the server's own user are this user's files inside. */
export const INSIDE_UID = 1000
export const HOME = '/home/agent'
export const HOSTNAME = 'sandbox'
export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** A host path shown inside, read-only, at the same place; or a link made anew, because its target is shown. */
export type Shown = { readonly path: string } | { readonly path: string; readonly linkTo: string }

const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix/store', '/gnu/store']
/** What programs read of /etc and holds nothing private. Certificates, not keys: /etc/ssl/private stays out. */
const ETC = [
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'alternatives',
  'ssl/certs',
  'ssl/openssl.cnf',
  'ca-certificates.conf',
  'pki/tls/certs',
  'pki/ca-trust/extracted',
  'crypto-policies',
  'localtime',
  'mime.types',
  'protocols',
  'services',
  'java-17-openjdk',
  'java-21-openjdk',
]

/** The system as every sandbox sees it. Looked up once: what a machine's root directory holds does not change while we run. */
export function systemPaths(): Shown[] {
  const etc = ETC.map(name => `/etc/${name}`).filter(path => existsSync(path))
  return [...SYSTEM.filter(path => existsSync(path)).map(shown), ...etc.map(path => ({ path }))]
}

function shown(path: string): Shown {
  return lstatSync(path).isSymbolicLink() ? { path, linkTo: readlinkSync(path) } : { path }
}

/** What /proc tells of the whole machine and nothing inside needs; Docker hides the same. Shown as empty. */
export function maskedPaths(): string[] {
  return ['/proc/keys', '/proc/kcore', '/proc/timer_list', '/proc/sched_debug'].filter(path => existsSync(path))
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
export const ETC_FILES: readonly string[] = Object.keys(FILES)

export async function writeEtc(directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o755 })
  await Promise.all(Object.entries(FILES).map(([name, text]) => writeFile(join(directory, name), text, { mode: 0o644 })))
}
