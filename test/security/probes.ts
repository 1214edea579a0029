import { networkInterfaces } from 'node:os'

/** What stands on the host for a probe to reach for. */
export interface Target {
  /** A directory outside the sandbox; holds `secret`, which says TARGET_SECRET, and `precious`, a file to overwrite. */
  readonly directory: string
  readonly home: string
  /** A process of the host, with TARGET_SECRET among its arguments; nobody minds its death. */
  readonly pid: number
  /** A TCP listener on the host's loopback address. */
  readonly port: number
  /** Listening unix sockets: one in the abstract namespace, one in `directory`. */
  readonly abstractSocket: string
  readonly socket: string
}

export const TARGET_SECRET = 'a-secret-of-the-host'

export interface Probe {
  readonly attempt: string
  /** What stops it. */
  readonly wall: string
  /** Prints `ESCAPED` if it got what it wanted; anything else is a failure to. Runs in the work tree. */
  readonly argv: (target: Target) => readonly string[]
  /** Whether even without a sandbox it takes root to do this. */
  readonly root?: true
  /** Whether this machine has what the attempt is about; without it only the sandbox is tried. */
  readonly possible?: () => boolean
}

const shell = (script: string) => ['sh', '-c', script]
const node = (script: string) => [
  process.execPath,
  '-e',
  `const say = () => { console.log('ESCAPED'); process.exit() }; ${script}`,
]
/** Makes one system call from Perl and says whether it worked. The parameters go through an array: Perl refuses literals. */
const call = (numbers: { x64: number; arm64: number }, ...parameters: (string | number)[]) => [
  'perl',
  '-e',
  `my @p = (${parameters.join(', ')}); print "ESCAPED\n" if syscall(${numbers[process.arch as 'x64' | 'arm64']}, @p) >= 0`,
]

const FILES = 'mount namespace: not there'
const FILTER = 'seccomp filter'
const BOTH = 'no capabilities; seccomp filter'

export const PROBES: readonly Probe[] = [
  { attempt: 'Read /etc/shadow', wall: FILES, root: true, argv: () => shell('grep -q root /etc/shadow && echo ESCAPED') },
  {
    attempt: 'Read the data directory',
    wall: FILES,
    argv: ({ directory }) => shell(`grep -q ${TARGET_SECRET} '${directory}/secret' && echo ESCAPED`),
  },
  {
    attempt: 'Find the work tree of another job',
    wall: FILES,
    argv: ({ directory }) => shell(`test -d '${directory}/other-job' && echo ESCAPED`),
  },
  { attempt: 'List the home directory', wall: FILES, argv: ({ home }) => shell(`ls '${home}' && echo ESCAPED`) },
  {
    attempt: 'Write to the system',
    wall: 'read-only bind mounts',
    root: true,
    argv: () => shell('f=/usr/skein-probe-$$; echo x > $f && rm $f && echo ESCAPED'),
  },
  {
    attempt: 'Write outside the tree through a symbolic link',
    wall: FILES,
    argv: ({ directory }) => shell(`ln -s '${directory}/precious' link && echo x > link && echo ESCAPED`),
  },
  {
    attempt: 'Give a file of the host a second name in the tree',
    wall: FILES,
    argv: ({ directory }) => shell(`ln '${directory}/secret' second && echo ESCAPED`),
  },
  {
    attempt: 'Name the program the kernel runs on a crash (core_pattern)',
    wall: 'read-only /proc',
    root: true,
    argv: () => shell('(: >> /proc/sys/kernel/core_pattern) && echo ESCAPED'),
  },
  {
    attempt: 'Change the control groups of the host',
    wall: 'no /sys',
    root: true,
    argv: () => shell('test -w /sys/fs/cgroup && echo ESCAPED'),
  },
  {
    attempt: "List the kernel's keys",
    wall: 'masked in /proc',
    root: true,
    argv: () => shell('test -s /proc/keys || grep -q . /proc/keys && echo ESCAPED'),
  },
  {
    attempt: 'Make a device node',
    wall: 'no capabilities',
    root: true,
    argv: () => shell('mknod device b 7 0 && rm device && echo ESCAPED'),
  },
  {
    attempt: 'Become root',
    wall: 'user namespace: no such user inside',
    root: true,
    argv: () => ['perl', '-e', '$< = $> = 0; print "ESCAPED\\n" if $> == 0'],
  },
  {
    attempt: 'Read the arguments of a process of the host',
    wall: 'pid namespace',
    argv: ({ pid }) => shell(`grep -q ${TARGET_SECRET} /proc/${pid}/cmdline && echo ESCAPED`),
  },
  { attempt: 'Kill a process of the host', wall: 'pid namespace', argv: ({ pid }) => shell(`kill -0 ${pid} && echo ESCAPED`) },
  {
    attempt: "Connect to a TCP port on the host's loopback",
    wall: 'network namespace',
    argv: ({ port }) => node(`require('net').connect(${port}, '127.0.0.1', say).on('error', () => {})`),
  },
  {
    attempt: 'Connect to a unix socket of the host',
    wall: FILES,
    argv: ({ socket }) => node(`require('net').connect('${socket}', say).on('error', () => {})`),
  },
  {
    attempt: 'Connect to an abstract unix socket of the host',
    wall: 'network namespace',
    argv: ({ abstractSocket }) => node(`require('net').connect('\\0${abstractSocket}', say).on('error', () => {})`),
  },
  {
    attempt: 'Find a route to the cloud metadata address',
    possible: () => Object.values(networkInterfaces()).some(addresses => addresses?.some(({ internal }) => !internal)),
    wall: 'network namespace',
    argv: () =>
      node(
        "const s = require('dgram').createSocket('udp4'); s.on('error', () => {}); s.connect(80, '169.254.169.254', error => { if (!error) say(); s.close() })",
      ),
  },
  {
    attempt: 'Mount a file system',
    wall: BOTH,
    root: true,
    argv: () => shell('mkdir m; mount -t tmpfs none m && umount m && echo ESCAPED'),
  },
  { attempt: 'Make a user namespace (unshare)', wall: FILTER, argv: () => shell('unshare --user true && echo ESCAPED') },
  {
    attempt: 'Make a user namespace (clone)',
    wall: FILTER,
    argv: () => [
      'perl',
      '-e',
      `my $p = syscall(${process.arch === 'x64' ? 56 : 220}, 0x10000011, 0, 0, 0, 0); exit if $p == 0; print "ESCAPED\\n" if $p > 0; wait`,
    ],
  },
  { attempt: 'Trace a process (ptrace)', wall: FILTER, argv: () => call({ x64: 101, arm64: 117 }, 0, 0, 0, 0) },
  {
    attempt: 'Read the memory of a process (process_vm_readv)',
    wall: FILTER,
    argv: () => call({ x64: 310, arm64: 270 }, '$$', 0, 0, 0, 0, 0),
  },
  {
    attempt: 'Put a key into a kernel keyring',
    wall: FILTER,
    argv: () => call({ x64: 248, arm64: 217 }, '"user"', '"skein-probe"', '"x"', 1, -2),
  },
  {
    attempt: 'Load a BPF program',
    wall: BOTH,
    root: true,
    argv: () => call({ x64: 321, arm64: 280 }, 0, 'pack("LLLLx64", 2, 4, 4, 1)', 72),
  },
  { attempt: 'Set up io_uring', wall: FILTER, argv: () => call({ x64: 425, arm64: 425 }, 1, '("\\0" x 256)') },
  { attempt: 'Handle page faults (userfaultfd)', wall: FILTER, argv: () => call({ x64: 323, arm64: 282 }, 1) },
  { attempt: 'Read the kernel log', wall: BOTH, root: true, argv: () => call({ x64: 103, arm64: 116 }, 10, 0, 0) },
  { attempt: 'Make all memory executable (personality)', wall: FILTER, argv: () => call({ x64: 135, arm64: 92 }, '0x0400000') },
  { attempt: 'Listen to device events (netlink)', wall: FILTER, argv: () => call({ x64: 41, arm64: 198 }, 16, 3, 15) },
  {
    attempt: 'Type into a terminal (TIOCSTI)',
    wall: FILTER,
    root: true,
    argv: () => ['script', '-qec', `perl -e 'my $x = "x"; print "ESCAPED\\n" if ioctl(STDIN, 0x5412, $x)'`, '/dev/null'],
  },
]
