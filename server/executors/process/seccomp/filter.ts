import {
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  AF_UNIX,
  type Architecture,
  CLONE_NEW,
  ENOSYS,
  GUARDED,
  NETLINK_ROUTE,
  REFUSED,
} from '../../syscalls.ts'
import {
  ARCH_OFFSET,
  and,
  answer,
  argumentOffset,
  type Instruction,
  ifAtLeast,
  ifEqual,
  load,
  NUMBER_OFFSET,
  unlessEqual,
} from './bpf.ts'

/** SECCOMP_RET_* of <linux/seccomp.h>; the low 16 bits of ERRNO are the error. */
export const ALLOW = 0x7fff0000
export const KILL_PROCESS = 0x80000000
export const errno = (error: number) => 0x00050000 | error
const EPERM = 1
const EAFNOSUPPORT = 97

/** AUDIT_ARCH_* of <linux/audit.h>. */
export const AUDIT_ARCH: Record<Architecture, number> = { x64: 0xc000003e, arm64: 0xc00000b7 }
/** Numbers from here on are the x32 ABI, which shares x86-64's AUDIT_ARCH and would slip past every comparison. */
const X32_BIT = 0x40000000

/** Type into, and talk to, a terminal that is not one's own: the classic ways out of a sandbox that shares a terminal. */
export const TIOCSTI = 0x5412
const TIOCLINUX = 0x541c
/** PER_LINUX, PER_LINUX32, UNAME26, both, and the query. What Docker's default profile lets through. */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff]

/**
 * The filter for programs in a sandbox: everything is allowed but what reaches for the kernel or for other processes. `clone3`
 * answers ENOSYS, because its flags are behind a pointer a filter cannot follow; C libraries then fall back to `clone`.
 * Comparisons look at the low 32 bits of an argument, since that is what the kernel itself looks at for these calls
 * (CVE-2019-10063 was a filter that compared all 64).
 */
export function jobFilter(architecture: Architecture): Instruction[] {
  const number = (call: keyof typeof GUARDED) => GUARDED[call][architecture]
  const refused = Object.values(REFUSED).map(numbers => numbers[architecture])
  return [
    load(ARCH_OFFSET),
    ...unlessEqual(AUDIT_ARCH[architecture], [answer(KILL_PROCESS)]),
    load(NUMBER_OFFSET),
    ...(architecture === 'x64' ? ifAtLeast(X32_BIT, [answer(KILL_PROCESS)]) : []),
    ...refused.flatMap(call => (call === null ? [] : ifEqual(call, [answer(errno(EPERM))]))),
    ...ifEqual(number('clone3'), [answer(errno(ENOSYS))]),
    ...ifEqual(number('clone'), [
      load(argumentOffset(0)),
      and(CLONE_NEW),
      ...unlessEqual(0, [answer(errno(EPERM))]),
      answer(ALLOW),
    ]),
    ...ifEqual(number('ioctl'), [
      load(argumentOffset(1)),
      ...ifEqual(TIOCSTI, [answer(errno(EPERM))]),
      ...ifEqual(TIOCLINUX, [answer(errno(EPERM))]),
      answer(ALLOW),
    ]),
    ...ifEqual(number('personality'), [
      load(argumentOffset(0)),
      ...PERSONALITIES.flatMap(value => ifEqual(value, [answer(ALLOW)])),
      answer(errno(EPERM)),
    ]),
    ...ifEqual(number('socket'), [
      load(argumentOffset(0)),
      ...[AF_UNIX, AF_INET, AF_INET6].flatMap(family => ifEqual(family, [answer(ALLOW)])),
      ...unlessEqual(AF_NETLINK, [answer(errno(EAFNOSUPPORT))]),
      load(argumentOffset(2)),
      ...ifEqual(NETLINK_ROUTE, [answer(ALLOW)]),
      answer(errno(EAFNOSUPPORT)),
    ]),
    answer(ALLOW),
  ]
}
