import { chown, lchown, lstat, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeTree } from '#server/lib/remove-tree.ts'
import { SandboxError, type SandboxSpec } from '../index.ts'
import { INSIDE, type User } from './place.ts'

/** Nobody else's number, as good as any. */
export const UNPRIVILEGED = 65_532

/** Who programs inside are: the user that the server is, but never root. Decision 0201. */
export function insideUser(): User {
  const uid = process.getuid?.() || UNPRIVILEGED
  return { uid, gid: uid === UNPRIVILEGED ? UNPRIVILEGED : (process.getgid?.() ?? uid) }
}

const isRoot = (): boolean => process.getuid?.() === 0

/** Programs inside find this user by its number. */
const passwd = ({ uid, gid }: User): string =>
  `root:x:0:0:root:/root:/bin/sh\nskein:x:${uid}:${gid}:skein:${INSIDE.home}:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n`

export interface Scratch {
  readonly home: string
  readonly spool: string
  /** Shown read-only inside. */
  readonly run: string
  /** Writes a file that only the user inside may read. */
  give(name: string, text: string): Promise<void>
  /** Keeps a file that nobody inside needs. @returns where */
  keep(name: string, text: string): Promise<string>
  /** Has somebody listen at a socket in `run`. */
  giveSocket(name: string, listen: (path: string) => Promise<() => void>): Promise<() => void>
  /** Makes what programs made in the work tree the server's again. None may run any more. */
  takeBack(): Promise<void>
  remove(): Promise<void>
}

/** Makes the directories of a sandbox, and the work tree its user's. @throws {SandboxError} and leaves nothing behind then */
export async function makeScratch(spec: SandboxSpec, user: User): Promise<Scratch> {
  const stat = await lstat(spec.workTree).catch(() => null)
  if (!stat?.isDirectory()) throw new SandboxError('failed', `The work tree ${spec.workTree} is not a directory`)
  const at = (name: string) => join(spec.scratch, name)
  const [home, spool, run] = [at('home'), at('spool'), at('run')]
  const own = async (path: string) => {
    if (isRoot()) await chown(path, user.uid, user.gid)
  }
  const takeBack = async () => {
    if (isRoot()) await changeOwner(spec.workTree, { uid: 0, gid: 0 }, ({ uid }) => uid === user.uid)
  }
  const remove = () => removeTree(spec.scratch)
  try {
    await mkdir(spec.scratch, { recursive: true, mode: 0o700 })
    for (const directory of [home, spool, run]) {
      await mkdir(directory, { mode: 0o700 })
      await own(directory)
    }
    await writeFile(join(run, 'passwd'), passwd(user), { mode: 0o644 })
    // A file with a second name elsewhere stays as it is: it would change there as well.
    if (isRoot()) await changeOwner(spec.workTree, user, ({ nlink, isDirectory }) => isDirectory || nlink === 1)
  } catch (cause) {
    await takeBack().catch(() => {})
    await remove()
    throw cause
  }
  return {
    home,
    spool,
    run,
    async give(name, text) {
      await writeFile(join(run, name), text, { mode: 0o400 })
      await own(join(run, name))
    },
    async keep(name, text) {
      await writeFile(at(name), text, { mode: 0o600 })
      return at(name)
    },
    async giveSocket(name, listen) {
      // By a short name, because the path of a socket may not be long; which is not needed once somebody listens.
      const short = await mkdtemp(join(tmpdir(), 'skein-'))
      try {
        await symlink(run, join(short, 'run'))
        const stop = await listen(join(short, 'run', name))
        await own(join(run, name))
        return stop
      } finally {
        await rm(short, { recursive: true, force: true })
      }
    },
    takeBack,
    remove,
  }
}

interface Entry {
  readonly uid: number
  readonly nlink: number
  readonly isDirectory: boolean
}

/** Below and with a directory. Links are not followed. No program may run in it meanwhile. */
async function changeOwner(path: string, { uid, gid }: User, wanted: (entry: Entry) => boolean): Promise<void> {
  const stat = await lstat(path)
  const isDirectory = stat.isDirectory()
  if (wanted({ uid: stat.uid, nlink: stat.nlink, isDirectory })) await lchown(path, uid, gid)
  if (!isDirectory) return
  for (const name of await readdir(path)) {
    await changeOwner(join(path, name), { uid, gid }, wanted).catch((error: NodeJS.ErrnoException) => {
      // So deep that it has no name: whoever made that may keep it. It is removed all the same.
      if (error.code !== 'ENAMETOOLONG') throw error
    })
  }
}
