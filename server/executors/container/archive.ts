import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { createTarPacker } from 'modern-tar'
import type { User } from './place.ts'

/** A file or, without content, a directory, as it is to be inside. */
export interface Entry {
  /** Relative to where the archive is unpacked. */
  readonly name: string
  readonly content?: Buffer
  readonly mode: number
  /** Default: root. */
  readonly owner?: User
}

/** A small archive out of memory. */
export function archiveOf(entries: readonly Entry[]): Readable {
  const { readable, controller } = createTarPacker()
  void (async () => {
    for (const { name, content, mode, owner = { uid: 0, gid: 0 } } of entries) {
      const type = content === undefined ? ('directory' as const) : ('file' as const)
      const writer = controller.add({ name, type, size: content?.length ?? 0, mode, ...owner }).getWriter()
      if (content !== undefined) await writer.write(content)
      await writer.close()
    }
    controller.finalize()
  })().catch(error => controller.error(error))
  return Readable.fromWeb(readable as ReadableStream<Uint8Array>)
}
