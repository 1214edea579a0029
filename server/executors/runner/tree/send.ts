import { constants } from 'node:fs'
import { lstat, open, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { createTarPacker } from 'modern-tar'

type Packer = ReturnType<typeof createTarPacker>['controller']

/** Clean permissions of a file; set-user-id and the like do not travel. */
const PERMISSIONS = 0o777
const CHUNK = 256 * 1024

/**
 * A directory as a tar stream: files, directories and symbolic links with their permissions. What is neither (sockets, pipes, devices) is
 * left out. Links are not followed. A file that changes its length meanwhile is filled up or cut.
 * @param modeOf what permissions become of those that something has here
 */
export function sendTree(directory: string, modeOf: (mode: number) => number = mode => mode): Readable {
  const { readable, controller } = createTarPacker()
  void pack({ packer: controller, root: directory, modeOf }, '').then(
    () => controller.finalize(),
    error => controller.error(error),
  )
  return Readable.fromWeb(readable as ReadableStream<Uint8Array>)
}

interface Packing {
  readonly packer: Packer
  readonly root: string
  readonly modeOf: (mode: number) => number
}

async function pack(packing: Packing, prefix: string): Promise<void> {
  const { packer, root, modeOf } = packing
  const entries = await readdir(join(root, prefix), { withFileTypes: true })
  for (const { name } of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
    const inside = prefix === '' ? name : `${prefix}/${name}`
    const path = join(root, inside)
    const stat = await lstat(path).catch(() => null)
    if (!stat) continue
    const mode = modeOf(stat.mode & PERMISSIONS)
    if (stat.isDirectory()) {
      await packer.add({ name: `${inside}/`, type: 'directory', size: 0, mode, mtime: stat.mtime }).close()
      await pack(packing, inside)
    } else if (stat.isSymbolicLink()) {
      await packer.add({ name: inside, type: 'symlink', size: 0, linkname: await readlink(path), mtime: stat.mtime }).close()
    } else if (stat.isFile())
      await packFile(packer, path, { name: inside, type: 'file', size: stat.size, mode, mtime: stat.mtime })
  }
}

async function packFile(packer: Packer, path: string, header: Parameters<Packer['add']>[0]): Promise<void> {
  // What was a file when it was looked at may be a pipe by now: then it must not hold us up.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      // Removed since it was looked at.
      if (error.code === 'ENOENT') return null
      throw error
    },
  )
  if (!file) return
  const writer = packer.add(header).getWriter()
  try {
    for (let left = header.size; left > 0; ) {
      const chunk = Buffer.alloc(Math.min(CHUNK, left))
      const { bytesRead } = await file.read(chunk)
      // Shorter than it was: zeros, so that the archive stays one.
      const bytes = bytesRead === 0 ? chunk : chunk.subarray(0, bytesRead)
      await writer.write(bytes)
      left -= bytes.length
    }
    await writer.close()
  } finally {
    await file.close()
  }
}
