import { readFile, realpath, rm, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Clock } from '#server/lib/clock.ts'
import { SandboxError, type SandboxSpec } from '../index.ts'
import { collectTree, type HomeAddress, type RemoteSandbox, sendTree, treeLimits } from '../runner/index.ts'
import { isFreeInImages } from '../shown-path.ts'
import { archiveOf } from './archive.ts'
import type { Engine } from './engine.ts'
import { INSIDE } from './place.ts'
import { UNPRIVILEGED } from './scratch.ts'
import type { Way } from './way.ts'

const LOOK_MS = 2_000
/** Read by all, written by none, whoever had it here. */
const shownMode = (mode: number): number => 0o444 | (mode & 0o100 ? 0o111 : 0)
/** Nobody of this machine, whose numbers mean nothing where the engine is. */
const USER = { uid: UNPRIVILEGED, gid: UNPRIVILEGED }

/**
 * The way where the engine sees nothing of this server, which may be a container beside those of its jobs: runner, token and what is shown
 * read-only are put into volumes of the container, which go with it; the runner dials this node on a network that leads nowhere else; the
 * work tree goes in and out by way of the runner.
 * @throws {SandboxError}
 */
export async function sentWay(input: {
  spec: SandboxSpec
  runnerFile: string
  engine: Engine
  network: string
  homes: readonly HomeAddress[]
  clock: Clock
}): Promise<Way> {
  const { spec, engine, clock } = input
  await realpath(spec.workTree).catch(cause => {
    throw new SandboxError('failed', `The work tree ${spec.workTree} is not a directory`, { cause })
  })
  const shown = await planShown(spec.readOnly)
  const mounts = [
    { Type: 'volume', Target: INSIDE.all, VolumeOptions: { NoCopy: true } },
    // What the image has beside a file stays there.
    ...shown.map(({ volume, files }) => ({ Type: 'volume', Target: volume, VolumeOptions: { NoCopy: files.length === 0 } })),
  ]
  let stopWatching = () => {}
  let isOver = false
  let removed = false

  return {
    user: USER,
    opening: { mounts, network: input.network, securityOptions: [], users: null },
    homes: input.homes,
    disk: [INSIDE.work, INSIDE.home],
    async fill(container, token) {
      const put = (path: string, archive: Parameters<Engine['put']>[1]) =>
        engine.put(`/containers/${container}/archive?path=${encodeURIComponent(path)}`, archive)
      const own = (path: string) => ({ name: `${basename(path)}/`, mode: 0o700, owner: USER })
      await put(
        INSIDE.all,
        archiveOf([
          ...[INSIDE.work, INSIDE.home, INSIDE.spool].map(own),
          { name: basename(INSIDE.runner), mode: 0o444, content: await readFile(input.runnerFile) },
          { name: `${basename(INSIDE.run)}/`, mode: 0o755 },
          { name: `${basename(INSIDE.run)}/token`, mode: 0o400, owner: USER, content: Buffer.from(token) },
        ]),
      )
      for (const { volume, files } of shown) {
        const read = async (path: string) => ({
          name: basename(path),
          mode: shownMode((await stat(path)).mode),
          content: await readFile(path),
        })
        const whole = files.length === 0
        await put(volume, whole ? sendTree(volume, shownMode) : archiveOf(await Promise.all(files.map(read))))
      }
    },
    async settle(sandbox) {
      await sandbox.sendTree(spec.workTree, treeLimits(spec))
      stopWatching = watchByRunner(sandbox, spec.limits.diskBytes, clock, () => {
        isOver = true
        void sandbox.exceeded('disk')
      })
    },
    // One that is too large is not brought: that says less than what ended the programs in it.
    ...(spec.isTreeWanted === false
      ? {}
      : { collect: async (sandbox: RemoteSandbox) => (isOver ? undefined : collectTree(spec, sandbox, clock)) }),
    stop: () => stopWatching(),
    takeBack: async () => {},
    async remove() {
      if (removed) return
      await rm(spec.scratch, { recursive: true, force: true })
      removed = true
    },
  }
}

interface ShownVolume {
  readonly volume: string
  /** Those shown there; none: the whole directory is. */
  readonly files: readonly string[]
}

/** What of this machine is shown at the same path: directories, and single files by the directories they are in. @throws {SandboxError} */
async function planShown(paths: readonly string[]): Promise<ShownVolume[]> {
  const directories = new Set<string>()
  const files = new Map<string, string[]>()
  for (const path of new Set(paths)) {
    const fail = (why: string, cause?: unknown) =>
      new SandboxError('failed', `${path} cannot be shown in a container: ${why}`, { cause })
    const info = await stat(path).catch(cause => {
      throw fail(cause.message, cause)
    })
    const volume = info.isDirectory() ? path : dirname(path)
    if (!isFreeInImages(volume) || volume === INSIDE.tmp) throw fail('there is something else in its place')
    if (info.isDirectory()) directories.add(volume)
    else files.set(volume, [...(files.get(volume) ?? []), path])
  }
  return [
    ...[...directories].map(volume => ({ volume, files: [] })),
    // With a directory that is shown as a whole its files are, too.
    ...[...files].filter(([volume]) => !directories.has(volume)).map(([volume, inIt]) => ({ volume, files: inIt })),
  ]
}

/** An engine sets no limit to a volume: the runner counts. @returns stop */
function watchByRunner(sandbox: RemoteSandbox, limitBytes: number, clock: Clock, exceeded: () => void): () => void {
  let cancel = () => {}
  let stopped = false
  const look = async () => {
    const bytes = await sandbox.stats().then(
      ({ diskBytes }) => diskBytes,
      () => 0,
    )
    if (stopped || sandbox.lost.aborted) return
    if (bytes > limitBytes) exceeded()
    else cancel = clock.after(LOOK_MS, () => void look())
  }
  cancel = clock.after(LOOK_MS, () => void look())
  return () => {
    stopped = true
    cancel()
  }
}
