/** What a program on macOS may reach. */
export interface SeatbeltView {
  /** Writable: the work tree and the scratch directory. */
  readonly writable: readonly string[]
  readonly readOnly: readonly string[]
  /** The one port on loopback that may be reached: the relay's. */
  readonly relayPort: number | null
}

const SYSTEM = [
  '/usr',
  '/bin',
  '/sbin',
  '/System',
  '/Library/Apple',
  '/Library/Developer/CommandLineTools',
  '/opt/homebrew',
  '/private/etc/ssl',
]
const DEVICES = ['/dev/null', '/dev/zero', '/dev/random', '/dev/urandom', '/dev/tty', '/dev/dtracehelper']

/**
 * A profile for sandbox-exec(1): nothing is allowed but what is named. The language is not documented by Apple; the forms used are
 * those of the profiles under /System/Library/Sandbox/Profiles. Not yet run on a Mac by us: the text is what is tested.
 */
export function seatbeltProfile(view: SeatbeltView): string {
  const paths = (list: readonly string[], form: 'subpath' | 'literal') => list.map(path => `(${form} ${quote(path)})`).join(' ')
  return [
    '(version 1)',
    '(deny default)',
    '(allow process-fork process-exec)',
    '(allow signal (target same-sandbox))',
    '(allow sysctl-read)',
    '(allow mach-lookup (global-name "com.apple.system.opendirectoryd.libinfo"))',
    '(allow file-read-metadata)',
    `(allow file-read* (literal "/") ${paths(DEVICES, 'literal')} ${paths([...SYSTEM, ...view.readOnly], 'subpath')})`,
    `(allow file-write-data ${paths(DEVICES, 'literal')})`,
    `(allow file-read* file-write* ${paths(view.writable, 'subpath')})`,
    ...(view.relayPort === null ? [] : [`(allow network-outbound (remote ip "localhost:${view.relayPort}"))`]),
    '',
  ].join('\n')
}

/** @throws TypeError for a path that a profile cannot hold. */
function quote(path: string): string {
  if (/[\0\n\r]/.test(path)) throw new TypeError(`A path in a sandbox profile must be one line: ${JSON.stringify(path)}`)
  return `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
