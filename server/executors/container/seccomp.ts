import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, CLONE_NEW, ENOSYS, GUARDED, NETLINK_ROUTE, REFUSED } from '../syscalls.ts'

const Rule = z.looseObject({ names: z.array(z.string()), action: z.string() })
const Profile = z.looseObject({ defaultAction: z.string(), syscalls: z.array(Rule) })
type Profile = z.infer<typeof Profile>

/** Where Podman takes its own from. */
const PODMANS = ['/etc/containers/seccomp.json', '/usr/share/containers/seccomp.json']

/**
 * Podman's own profile without what sandboxes of processes are refused as well: it lets containers make user namespaces and trace processes.
 * @returns null where it is not on this machine; then the engine's own holds
 */
export function podmansProfile(files: readonly string[] = PODMANS): string | null {
  for (const file of files) {
    try {
      return JSON.stringify(stricter(Profile.parse(JSON.parse(readFileSync(file, 'utf8')))))
    } catch {
      // Not there, or not what it is known to be.
    }
  }
  return null
}

const allow = (name: string, ...args: object[]) => ({ names: [name], action: 'SCMP_ACT_ALLOW', args })
const equal = (index: number, value: number) => ({ index, value, valueTwo: 0, op: 'SCMP_CMP_EQ' })

/** A profile allows what it names, so what it does not name any more is refused. `ioctl` stays: there is no terminal of others inside. */
function stricter(base: Profile): Profile {
  const { clone, clone3, socket } = GUARDED
  const ours = new Set(Object.keys({ ...REFUSED, clone, clone3, socket }))
  const kept = base.syscalls
    .map(rule => ({ ...rule, names: rule.names.filter(name => !ours.has(name)) }))
    .filter(({ names }) => names.length > 0)
  return {
    ...base,
    syscalls: [
      ...kept,
      allow('clone', { index: 0, value: CLONE_NEW, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }),
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
      ...[AF_UNIX, AF_INET, AF_INET6].map(family => allow('socket', equal(0, family))),
      allow('socket', equal(0, AF_NETLINK), equal(2, NETLINK_ROUTE)),
    ],
  }
}
