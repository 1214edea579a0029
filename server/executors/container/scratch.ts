import { chown, lchown, lstat, mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeTree } from '#server/lib/remove-tree.ts'
import { SandboxError, type SandboxSpec } from '../index.ts'
import { passwd, type User } from './place.ts'

/** Nobody else's number, as good as any. */
const UNPRIVILEGED = 65_532

/** Who programs inside are: never root. A server that is root gives its work trees away. */
export function insideUser(): User {
  const uid = process.getuid?.() || UNPRIVILEGED
  return { uid, gid: uid === UNPRIVILEGED ? UNPRIVILEGED : (process.getgid?.() ?? uid) }
}

export interface Scratch {
  readonly home: string
  readonly spool: string
  /** Short, because the path of a socket may not be long. */
  readonly run: string
  remove(): Promise<void>
}

/** Makes the directories of a sandbox. @throws {SandboxError} and leaves nothing behind then */
export async function makeScratch(spec: SandboxSpec, user: User): Promise<Scratch> {
  const stat = await lstat(spec.workTree).catch(() => null)
  if (!stat?.isDirectory()) throw new SandboxError('failed', `The work tree ${spec.workTree} is not a directory`)
  const run = await mkdtemp(join(tmpdir(), 'skein-'))
  const home = join(spec.scratch, 'home')
  const spool = join(spec.scratch, 'spool')
  const remove = async () => {
    await removeTree(spec.scratch)
    await removeTree(run)
  }
  try {
    await mkdir(spec.scratch, { recursive: true, mode: 0o700 })
    for (const directory of [home, spool]) await mkdir(directory, { mode: 0o700 })
    await writeFile(join(run, 'passwd'), passwd(user), { mode: 0o644 })
    if (process.getuid?.() === 0) {
      for (const path of [home, spool, run]) await chown(path, user.uid, user.gid)
      await giveTree(spec.workTree, user)
    }
    return { home, spool, run, remove }
  } catch (cause) {
    await remove()
    throw cause
  }
}

/** The token and the socket, once they are there. */
export async function giveFile(path: string, { uid, gid }: User): Promise<void> {
  if (process.getuid?.() === 0) await chown(path, uid, gid)
}

/** A file with a second name elsewhere stays as it is: it would change there as well. Links are not followed. */
async function giveTree(directory: string, user: User): Promise<void> {
  await lchown(directory, user.uid, user.gid)
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) await giveTree(path, user)
    else if ((await lstat(path)).nlink === 1) await lchown(path, user.uid, user.gid)
  }
}
