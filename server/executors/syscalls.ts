/**
 * System call numbers, from the kernel's own tables: arch/x86/entry/syscalls/syscall_64.tbl and
 * include/uapi/asm-generic/unistd.h (what aarch64 uses). null: the architecture does not have the call.
 */
export type Architecture = 'x64' | 'arm64'
type Numbers = Readonly<Record<Architecture, number | null>>

/** Refused whatever the arguments. Compare systemd's @mount, @module, @debug, ... sets and Docker's default profile (ADR 0036). */
export const REFUSED = {
  // mounts: the view of the file system is fixed
  mount: { x64: 165, arm64: 40 },
  umount2: { x64: 166, arm64: 39 },
  pivot_root: { x64: 155, arm64: 41 },
  move_mount: { x64: 429, arm64: 429 },
  open_tree: { x64: 428, arm64: 428 },
  fsopen: { x64: 430, arm64: 430 },
  fsconfig: { x64: 431, arm64: 431 },
  fsmount: { x64: 432, arm64: 432 },
  fspick: { x64: 433, arm64: 433 },
  mount_setattr: { x64: 442, arm64: 442 },
  open_by_handle_at: { x64: 304, arm64: 265 },
  fanotify_init: { x64: 300, arm64: 262 },
  // other processes
  ptrace: { x64: 101, arm64: 117 },
  process_vm_readv: { x64: 310, arm64: 270 },
  process_vm_writev: { x64: 311, arm64: 271 },
  process_madvise: { x64: 440, arm64: 440 },
  kcmp: { x64: 312, arm64: 272 },
  pidfd_getfd: { x64: 438, arm64: 438 },
  // keys of the kernel are not divided by namespaces
  keyctl: { x64: 250, arm64: 219 },
  add_key: { x64: 248, arm64: 217 },
  request_key: { x64: 249, arm64: 218 },
  // large attack surface, no use to a job
  bpf: { x64: 321, arm64: 280 },
  perf_event_open: { x64: 298, arm64: 241 },
  userfaultfd: { x64: 323, arm64: 282 },
  io_uring_setup: { x64: 425, arm64: 425 },
  io_uring_enter: { x64: 426, arm64: 426 },
  io_uring_register: { x64: 427, arm64: 427 },
  modify_ldt: { x64: 154, arm64: null },
  lookup_dcookie: { x64: 212, arm64: 18 },
  // namespaces (see also clone)
  unshare: { x64: 272, arm64: 97 },
  setns: { x64: 308, arm64: 268 },
  // the machine itself
  kexec_load: { x64: 246, arm64: 104 },
  kexec_file_load: { x64: 320, arm64: 294 },
  init_module: { x64: 175, arm64: 105 },
  finit_module: { x64: 313, arm64: 273 },
  delete_module: { x64: 176, arm64: 106 },
  create_module: { x64: 174, arm64: null },
  query_module: { x64: 178, arm64: null },
  get_kernel_syms: { x64: 177, arm64: null },
  swapon: { x64: 167, arm64: 224 },
  swapoff: { x64: 168, arm64: 225 },
  reboot: { x64: 169, arm64: 142 },
  syslog: { x64: 103, arm64: 116 },
  acct: { x64: 163, arm64: 89 },
  quotactl: { x64: 179, arm64: 60 },
  quotactl_fd: { x64: 443, arm64: 443 },
  settimeofday: { x64: 164, arm64: 170 },
  clock_settime: { x64: 227, arm64: 112 },
  clock_adjtime: { x64: 305, arm64: 266 },
  adjtimex: { x64: 159, arm64: 171 },
  iopl: { x64: 172, arm64: null },
  ioperm: { x64: 173, arm64: null },
  vhangup: { x64: 153, arm64: 58 },
  migrate_pages: { x64: 256, arm64: 238 },
  move_pages: { x64: 279, arm64: 239 },
  nfsservctl: { x64: 180, arm64: 42 },
  sysfs: { x64: 139, arm64: null },
  ustat: { x64: 136, arm64: null },
  uselib: { x64: 134, arm64: null },
  _sysctl: { x64: 156, arm64: null },
} satisfies Record<string, Numbers>

/** Refused for some arguments. */
export const GUARDED = {
  clone: { x64: 56, arm64: 220 },
  clone3: { x64: 435, arm64: 435 },
  personality: { x64: 135, arm64: 92 },
  ioctl: { x64: 16, arm64: 29 },
  socket: { x64: 41, arm64: 198 },
} satisfies Record<string, Readonly<Record<Architecture, number>>>

/** CLONE_NEWNS, CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET of <linux/sched.h>. */
export const CLONE_NEW = 0x7e020000
export const [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK] = [1, 2, 10, 16] as const
export const NETLINK_ROUTE = 0
/** The answer to `clone3`, whose flags a filter cannot see: C libraries then fall back to `clone`. */
export const ENOSYS = 38
