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
  /** Of a container engine of the host; null: there is none. */
  readonly engineSocket: string | null
  /** An address of the host in a network, where somebody listens at `port` as well; null: it has none. */
  readonly address: string | null
  /** Node.js where the probe runs. */
  readonly node: string
  /** Where something listens in the cluster whose pod this is. */
  readonly cluster?: { readonly api: Listener; readonly kubelet: Listener; readonly neighbour: Listener }
}

export interface Listener {
  readonly host: string
  readonly port: number
}

export const TARGET_SECRET = 'a-secret-of-the-host'

export interface Probe {
  readonly attempt: string
  /** What stops it, by the kind of executor; it is not tried where it makes no sense. */
  readonly walls: Readonly<Partial<Record<ProbedKind, Wall>>>
  /** Prints `ESCAPED` if it got what it wanted; anything else is a failure to. Runs in the work tree. */
  readonly argv: (target: Target) => readonly string[]
  /** Whether even without a sandbox it takes root to do this. */
  readonly root?: true
  /** Whether this machine has what the attempt is about; without it only the sandbox is tried. */
  readonly possible?: (target: Target) => boolean
}

/** What stops an attempt, or why it may succeed. */
export type Wall = string | { readonly harmless: string }
export type ProbedKind = 'process' | 'container' | 'kubernetes'

const shell = (script: string) => ['sh', '-c', script]
const script = ({ node }: Target, script: string) => [
  node,
  '-e',
  `const say = () => { console.log('ESCAPED'); process.exit() }; ${script}`,
]
/** Makes one system call from Perl and says whether it worked. The parameters go through an array: Perl refuses literals. */
const call = (numbers: { x64: number; arm64: number }, ...parameters: (string | number)[]) => [
  'perl',
  '-e',
  `my @p = (${parameters.join(', ')}); print "ESCAPED\n" if syscall(${numbers[process.arch as 'x64' | 'arm64']}, @p) >= 0`,
]

const all = (wall: Wall) => ({ process: wall, container: wall, kubernetes: wall })
const FILES = all('mount namespace: not there')
const NET = all('network namespace')
const POLICY = 'network policy: only its home'
const FILTER = all('seccomp filter')
/** What the profile of the container runtime lets through, where there is none of ours: more of the kernel can be reached, nothing of others. */
const RUNTIME = (harmless: string) => ({
  process: 'seccomp filter',
  container: 'seccomp filter',
  kubernetes: { harmless: `${harmless}; the runtime's profile allows it, a runtime class such as gVisor does not` },
})
const BOTH = all('no capabilities; seccomp filter')
const CAPABILITIES = all('no capabilities')

const PROBES: readonly Probe[] = [
  {
    attempt: 'Read /etc/shadow',
    walls: { ...all('mount namespace: that of the image, and not root'), process: 'mount namespace: not there' },
    root: true,
    argv: () => shell('grep -q root /etc/shadow && echo ESCAPED'),
  },
  {
    attempt: 'Read the data directory',
    walls: FILES,
    argv: ({ directory }) => shell(`grep -q ${TARGET_SECRET} '${directory}/secret' && echo ESCAPED`),
  },
  {
    attempt: 'Find the work tree of another job',
    walls: FILES,
    argv: ({ directory }) => shell(`test -d '${directory}/other-job' && echo ESCAPED`),
  },
  { attempt: 'List the home directory', walls: FILES, argv: ({ home }) => shell(`ls '${home}' && echo ESCAPED`) },
  {
    attempt: 'Write to the system',
    walls: { ...all('read-only image, and not root'), process: 'read-only bind mounts' },
    root: true,
    argv: () => shell('f=/usr/skein-probe-$$; echo x > $f && rm $f && echo ESCAPED'),
  },
  {
    attempt: 'Write outside the tree through a symbolic link',
    walls: FILES,
    argv: ({ directory }) => shell(`ln -s '${directory}/precious' link && echo x > link && echo ESCAPED`),
  },
  {
    attempt: 'Give a file of the host a second name in the tree',
    walls: FILES,
    argv: ({ directory }) => shell(`ln '${directory}/secret' second && echo ESCAPED`),
  },
  {
    attempt: 'Name the program the kernel runs on a crash (core_pattern)',
    walls: all('read-only /proc'),
    root: true,
    argv: () => shell('(: >> /proc/sys/kernel/core_pattern) && echo ESCAPED'),
  },
  {
    attempt: 'Change the control groups of the host',
    walls: { ...all('read-only /sys'), process: 'no /sys' },
    root: true,
    argv: () => shell('test -w /sys/fs/cgroup && echo ESCAPED'),
  },
  {
    attempt: "List the kernel's keys",
    walls: all('masked in /proc'),
    root: true,
    argv: () => shell('test -s /proc/keys || grep -q . /proc/keys && echo ESCAPED'),
  },
  {
    attempt: 'Make a device node',
    walls: CAPABILITIES,
    root: true,
    argv: () => shell('mknod device b 7 0 && rm device && echo ESCAPED'),
  },
  {
    attempt: 'Become root',
    walls: { ...all('no capabilities'), process: 'user namespace: no such user inside' },
    root: true,
    argv: () => ['perl', '-e', '$< = $> = 0; print "ESCAPED\\n" if $> == 0'],
  },
  {
    attempt: 'Run a set-user-id program of root that came with the tree',
    walls: {
      process: 'user namespace: no such user inside',
      container: 'the bit goes when the tree is lent; no new privileges',
      kubernetes: 'the bit and the owner go when the tree is sent; no new privileges',
    },
    root: true,
    argv: () =>
      shell('setpriv --reuid 12345 true && u="setpriv --reuid 12345"; test "$($u ./root-program -u)" = 0 && echo ESCAPED'),
  },
  {
    attempt: 'Read the arguments of a process of the host',
    walls: all('pid namespace'),
    argv: ({ pid }) => shell(`grep -q ${TARGET_SECRET} /proc/${pid}/cmdline && echo ESCAPED`),
  },
  {
    attempt: 'Trace a process of the host (ptrace)',
    walls: { ...all('pid namespace'), process: 'pid namespace; seccomp filter' },
    argv: ({ pid }) => call({ x64: 101, arm64: 117 }, '0x4206', pid, 0, 0),
  },
  {
    attempt: 'Kill a process of the host',
    walls: all('pid namespace'),
    argv: ({ pid }) => shell(`kill -0 ${pid} && echo ESCAPED`),
  },
  {
    attempt: "Connect to a TCP port on the host's loopback",
    walls: NET,
    argv: target => script(target, `require('net').connect(${target.port}, '127.0.0.1', say).on('error', () => {})`),
  },
  {
    attempt: 'Connect to a TCP port of the host by its network (API server, kubelet, tailnet)',
    walls: { ...NET, kubernetes: POLICY },
    possible: ({ address }) => address !== null,
    argv: target => script(target, `require('net').connect(${target.port}, '${target.address}', say).on('error', () => {})`),
  },
  {
    attempt: 'Ask the container engine (docker.sock)',
    walls: FILES,
    possible: ({ engineSocket }) => engineSocket !== null,
    argv: target =>
      script(
        target,
        `require('http').get({ socketPath: '${target.engineSocket ?? '/run/docker.sock'}', path: '/_ping' }, say).on('error', () => {})`,
      ),
  },
  {
    attempt: 'Connect to a unix socket of the host',
    walls: FILES,
    argv: target => script(target, `require('net').connect('${target.socket}', say).on('error', () => {})`),
  },
  {
    attempt: 'Connect to an abstract unix socket of the host',
    walls: NET,
    argv: target => script(target, `require('net').connect('\\0${target.abstractSocket}', say).on('error', () => {})`),
  },
  {
    attempt: 'Find a route to the cloud metadata address',
    possible: ({ address }) => address !== null,
    walls: { ...NET, kubernetes: { harmless: 'a pod has a route; its network policy lets only what goes home take it' } },
    argv: target =>
      script(
        target,
        "const s = require('dgram').createSocket('udp4'); s.on('error', () => {}); s.connect(80, '169.254.169.254', error => { if (!error) say(); s.close() })",
      ),
  },
  {
    attempt: 'Mount a file system',
    walls: BOTH,
    root: true,
    argv: () => shell('mkdir m; mount -t tmpfs none m && umount m && echo ESCAPED'),
  },
  { attempt: 'Make a user namespace (unshare)', walls: FILTER, argv: () => shell('unshare --user true && echo ESCAPED') },
  {
    attempt: 'Make a user namespace (clone)',
    walls: FILTER,
    argv: () => [
      'perl',
      '-e',
      `my $p = syscall(${process.arch === 'x64' ? 56 : 220}, 0x10000011, 0, 0, 0, 0); exit if $p == 0; print "ESCAPED\\n" if $p > 0; wait`,
    ],
  },
  {
    attempt: 'Trace a process (ptrace)',
    walls: RUNTIME('only processes of its own sandbox are there'),
    argv: () => call({ x64: 101, arm64: 117 }, 0, 0, 0, 0),
  },
  {
    attempt: 'Read the memory of a process (process_vm_readv)',
    walls: FILTER,
    argv: () => call({ x64: 310, arm64: 270 }, '$$', 0, 0, 0, 0, 0),
  },
  {
    attempt: 'Put a key into a kernel keyring',
    walls: FILTER,
    argv: () => call({ x64: 248, arm64: 217 }, '"user"', '"skein-probe"', '"x"', 1, -2),
  },
  {
    attempt: 'Load a BPF program',
    walls: BOTH,
    root: true,
    argv: () => call({ x64: 321, arm64: 280 }, 0, 'pack("LLLLx64", 2, 4, 4, 1)', 72),
  },
  {
    attempt: 'Set up io_uring',
    walls: RUNTIME('it gives no access, but reaches more of the kernel'),
    argv: () => call({ x64: 425, arm64: 425 }, 1, '("\\0" x 256)'),
  },
  { attempt: 'Handle page faults (userfaultfd)', walls: FILTER, argv: () => call({ x64: 323, arm64: 282 }, 1) },
  { attempt: 'Read the kernel log', walls: BOTH, root: true, argv: () => call({ x64: 103, arm64: 116 }, 10, 0, 0) },
  { attempt: 'Make all memory executable (personality)', walls: FILTER, argv: () => call({ x64: 135, arm64: 92 }, '0x0400000') },
  {
    attempt: 'Listen to device events (netlink)',
    walls: RUNTIME('it hears of devices and changes none'),
    argv: () => call({ x64: 41, arm64: 198 }, 16, 3, 15),
  },
  {
    attempt: 'Type into a terminal (TIOCSTI)',
    walls: { ...all({ harmless: 'there is no terminal inside but those that it makes itself' }), process: 'seccomp filter' },
    root: true,
    argv: () => ['script', '-qec', `perl -e 'my $x = "x"; print "ESCAPED\\n" if ioctl(STDIN, 0x5412, $x)'`, '/dev/null'],
  },
  {
    attempt: 'Make processes without end (fork bomb)',
    walls: { ...all('limit of processes'), kubernetes: 'limit of processes of the node (`podPidsLimit` of its kubelet)' },
    argv: () => [
      'perl',
      '-e',
      'my @p; while (@p < 600) { my $p = fork; last unless defined $p; if ($p == 0) { sleep 60; exit } push @p, $p } kill 9, @p; print "ESCAPED\\n" if @p == 600',
    ],
  },
]

const connecting = (choose: (cluster: NonNullable<Target['cluster']>) => Listener) => (target: Target) => {
  if (!target.cluster) throw new Error('There is no cluster to connect to')
  const { host, port } = choose(target.cluster)
  return script(target, `require('net').connect(${port}, '${host}', say).on('error', () => {})`)
}

/** What only a pod of a cluster could reach for; shown to work from a pod that is nothing but a pod. */
export const CLUSTER_PROBES: readonly Probe[] = [
  { attempt: 'Connect to the API server', walls: { kubernetes: POLICY }, argv: connecting(({ api }) => api) },
  { attempt: 'Connect to the kubelet of its node', walls: { kubernetes: POLICY }, argv: connecting(({ kubelet }) => kubelet) },
  { attempt: 'Connect to another pod', walls: { kubernetes: POLICY }, argv: connecting(({ neighbour }) => neighbour) },
  {
    attempt: 'Take the token of a service account',
    walls: { kubernetes: 'none is mounted' },
    argv: () => shell('test -s /var/run/secrets/kubernetes.io/serviceaccount/token && echo ESCAPED'),
  },
]

export const probesOf = (kind: ProbedKind): readonly Probe[] =>
  [...CLUSTER_PROBES, ...PROBES].filter(({ walls }) => walls[kind] !== undefined)
