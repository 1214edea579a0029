import { chmod, lstat, mkdir, open, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type Readable, Writable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { createTarDecoder } from 'modern-tar'

/** What of a tree is taken. */
export interface TreeLimits {
  readonly bytes: number
  readonly entries: number
}

/** The tree that was sent is not one, or too much. Nothing of it was written outside the directory. */
export class TreeError extends Error {
  override readonly name = 'TreeError'
}

const PERMISSIONS = 0o777
const NAME_BYTES = 4096

/**
 * Writes a tar stream, whoever made it, into an empty directory of ours. Files are made anew and never opened; symbolic links are made
 * after everything else, so that no path of the archive can lead through one. Hard links, devices and the like are refused.
 * @throws {TreeError}
 */
export async function receiveTree(archive: Readable, directory: string, limits: TreeLimits): Promise<void> {
  const links = new Map<string, string>()
  const modes: { path: string; depth: number; mode: number }[] = []
  let entries = 0
  let bytes = 0
  let size = 0
  const decoder = createTarDecoder({ strict: true })
  // Padding and headers count too: an archive of nothing but headers must end.
  const counted = archive.map((chunk: Buffer) => {
    size += chunk.length
    if (size > limits.bytes + limits.entries * 4096) throw new TreeError('The tree is larger than allowed')
    return chunk
  })
  const into = Writable.fromWeb(decoder.writable)
  // Told by the write that failed, too.
  into.on('error', () => {})
  const fed = feed(counted, into)
  const unpacked = (async () => {
    for await (const { header, body } of decoder.readable as ReadableStream<{
      header: { name: string; type?: string; mode?: number; size: number; linkname?: string }
      body: ReadableStream<Uint8Array>
    }>) {
      if (++entries > limits.entries) throw new TreeError(`The tree has more than ${limits.entries} entries`)
      const segments = segmentsOf(header.name)
      const path = join(directory, ...segments)
      if (segments.length === 0) {
        if (header.type !== 'directory') throw new TreeError('The tree itself is not a directory')
      } else if (header.type === 'directory') {
        await makeDirectories(directory, segments)
        modes.push({ path, depth: segments.length, mode: (header.mode ?? 0o755) & PERMISSIONS })
      } else if (header.type === 'symlink') {
        const target = header.linkname ?? ''
        if (target === '' || target.includes('\0') || target.length > NAME_BYTES)
          throw new TreeError(`A link without a target: ${shown(header.name)}`)
        await makeDirectories(directory, segments.slice(0, -1))
        links.set(path, target)
      } else if (header.type === 'file' || header.type === undefined) {
        bytes += header.size
        if (bytes > limits.bytes) throw new TreeError(`The tree has more than ${limits.bytes} bytes`)
        await makeDirectories(directory, segments.slice(0, -1))
        await writeFile(path, body, (header.mode ?? 0o644) & PERMISSIONS, header.name)
        continue
      } else
        throw new TreeError(`${shown(header.name)} is a ${header.type}: only files, directories and symbolic links are taken`)
      await body.cancel()
    }
  })()
  await Promise.all([fed, unpacked]).catch(cause => {
    archive.destroy()
    counted.destroy()
    if (cause instanceof TreeError) throw cause
    throw new TreeError(`The tree cannot be read: ${(cause as Error).message}`, { cause })
  })
  for (const [path, target] of links) await symlink(target, path).catch(refuse(path))
  // Last and from the leaves up, in whatever order they were told: a directory may take from its owner the permission to write, or to enter.
  modes.sort((one, other) => other.depth - one.depth)
  for (const { path, mode } of modes) await chmod(path, mode).catch(refuse(path))
}

async function feed(from: Readable, into: Writable): Promise<void> {
  for await (const chunk of from) {
    await new Promise<void>((resolve, reject) => into.write(chunk, error => (error ? reject(error) : resolve())))
  }
  await new Promise<void>((resolve, reject) => {
    into.once('error', reject)
    into.end(resolve)
  })
}

/** @throws {TreeError} for a name that leads out of the tree, or nowhere. */
function segmentsOf(name: string): string[] {
  if (name.startsWith('/') || name.includes('\0') || name.length > NAME_BYTES)
    throw new TreeError(`Not a path inside the tree: ${shown(name)}`)
  const segments = name.split('/').filter(segment => segment !== '' && segment !== '.')
  if (segments.includes('..')) throw new TreeError(`Not a path inside the tree: ${shown(name)}`)
  return segments
}

/** One by one, so that a name which is taken by anything else is found. */
async function makeDirectories(directory: string, segments: readonly string[]): Promise<void> {
  let path = directory
  for (const segment of segments) {
    path = join(path, segment)
    const made = await mkdir(path, 0o700).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw refused(path, error)
        return false
      },
    )
    if (!made && !(await lstat(path)).isDirectory()) throw new TreeError(`${shown(path)} is there twice`)
  }
}

async function writeFile(path: string, body: ReadableStream<Uint8Array>, mode: number, name: string): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch(refuse(name))
  try {
    for await (const chunk of body) await file.writeFile(chunk)
    await file.chmod(mode)
  } finally {
    await file.close()
  }
}

const shown = (name: string): string => JSON.stringify(name.slice(0, 200))
const refused = (name: string, error: Error): TreeError =>
  new TreeError(`${shown(name)} cannot be made: ${error.message}`, { cause: error })
const refuse = (name: string) => (error: Error) => {
  throw refused(name, error)
}
