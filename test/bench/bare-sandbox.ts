const ISOLATION = [
  '--unshare-all',
  '--unshare-user',
  '--die-with-parent',
  '--new-session',
  '--cap-drop',
  'ALL',
  '--uid',
  '1000',
  '--gid',
  '1000',
]
const SYSTEM = [
  '--ro-bind',
  '/usr',
  '/usr',
  '--symlink',
  'usr/bin',
  '/bin',
  '--symlink',
  'usr/lib',
  '/lib',
  '--symlink',
  'usr/lib64',
  '/lib64',
]

/** Arguments of bubblewrap for `true` in the isolation of the product, over the fewest mounts a program can run with. */
export function bareSandbox(directory: string): string[] {
  const places = ['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--bind', directory, '/work', '--chdir', '/work']
  return [...ISOLATION, ...SYSTEM, ...places, '--', '/usr/bin/true']
}
