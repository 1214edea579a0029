import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '#server/lib/clock.ts'
import { diskUsage, watchDisk } from '../disk.ts'
import { SandboxError, type SandboxSpec } from '../index.ts'
import type { Door } from '../runner/index.ts'
import { hostProcess } from './host-process.ts'
import { INSIDE } from './place.ts'
import { insideUser, makeScratch } from './scratch.ts'
import { podmansProfile } from './seccomp.ts'
import type { Way } from './way.ts'

/**
 * The way where the engine sees the directories of this server: the work tree is mounted, and the runner dials a socket in a mounted directory,
 * so that the container has no network at all.
 * @throws {SandboxError} and leaves nothing behind then
 */
export async function mountedWay(input: {
  spec: SandboxSpec
  /** Of the runner. */
  node: string
  hostNode: string
  runnerFile: string
  found: { readonly isPodman: boolean; readonly rootless: boolean }
  door: Door
  clock: Clock
}): Promise<Way> {
  const { spec, node, hostNode, runnerFile, found, door, clock } = input
  const taken = spec.readOnly.find(path => `${path}/`.startsWith(`${INSIDE.all}/`))
  if (taken !== undefined)
    throw new SandboxError('failed', `${taken} cannot be shown in a container: ${INSIDE.all} is its own there`)
  const user = insideUser()
  const scratch = await makeScratch(spec, user)
  const workTree = realpathSync(spec.workTree)
  const directories = [workTree, scratch.home, scratch.spool]
  const stops: (() => void)[] = []
  try {
    stops.push(await scratch.giveSocket('home', door.listenAt))
    const profile = found.isPodman ? podmansProfile() : null
    const seccomp = profile === null ? null : await scratch.keep('seccomp.json', profile)
    const mount = (Source: string, Target: string, ReadOnly: boolean) => ({ Type: 'bind', Source, Target, ReadOnly })
    const shown = new Set([...(node === hostNode ? [hostNode] : []), ...spec.readOnly])
    return {
      user,
      opening: {
        mounts: [
          mount(workTree, INSIDE.work, false),
          mount(scratch.home, INSIDE.home, false),
          mount(scratch.spool, INSIDE.spool, false),
          mount(scratch.run, INSIDE.run, true),
          mount(`${scratch.run}/passwd`, '/etc/passwd', true),
          mount(runnerFile, INSIDE.runner, true),
          ...[...shown].map(path => mount(path, path, true)),
        ],
        network: 'none',
        securityOptions: seccomp === null ? [] : [`seccomp=${seccomp}`],
        users: found.rootless ? 'keep-id' : null,
      },
      homes: [{ socket: join(INSIDE.run, 'home') }],
      // Counted from outside, where nobody hides anything.
      disk: [],
      identify: hostProcess,
      fill: (_, token) => scratch.give('token', token),
      async settle(sandbox) {
        const exceeded = () => void sandbox.exceeded('disk')
        stops.push(watchDisk({ clock, directories, limitBytes: spec.limits.diskBytes, exceeded }))
      },
      countDisk: async () => (await diskUsage(directories)).bytes,
      stop() {
        for (const step of stops.splice(0)) step()
      },
      takeBack: scratch.takeBack,
      remove: scratch.remove,
    }
  } catch (cause) {
    for (const step of stops) step()
    await scratch.takeBack().catch(() => {})
    await scratch.remove()
    throw cause
  }
}
