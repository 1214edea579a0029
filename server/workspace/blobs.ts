import { type Git, GitFailure, type GitOptions } from './git.ts'

/** A piece of one blob's content, in order; the last one of a blob says so. */
export interface BlobPiece {
  readonly id: string
  readonly bytes: Buffer
  readonly last: boolean
}

/** Reads blobs by id, in order, without holding one whole in memory. An id may be given once only. */
export async function* readBlobs(git: Git, repository: GitOptions, ids: readonly string[]): AsyncGenerator<BlobPiece> {
  if (ids.length === 0) return
  const command = ['cat-file', '--batch']
  let held = Buffer.alloc(0)
  let blob: { id: string; left: number } | null = null
  for await (const chunk of git.stream(command, { ...repository, stdin: `${ids.join('\n')}\n` })) {
    held = Buffer.concat([held, chunk])
    for (;;) {
      if (blob === null) {
        const end = held.indexOf(10)
        if (end < 0) break
        const [id = '', type, size] = held.subarray(0, end).toString().split(' ')
        if (type === 'missing' || size === undefined) throw new GitFailure(command, null, `object ${id} is missing`)
        blob = { id, left: Number(size) }
        held = held.subarray(end + 1)
      }
      // After the content comes a line break, which is waited for together with the last piece.
      const whole = held.length > blob.left
      if (!whole && held.length === 0) break
      const bytes = held.subarray(0, Math.min(blob.left, held.length))
      if (!whole && bytes.length === 0) break
      blob.left -= bytes.length
      if (!whole) {
        held = held.subarray(bytes.length)
        yield { id: blob.id, bytes, last: false }
        break
      }
      held = held.subarray(bytes.length + 1)
      yield { id: blob.id, bytes, last: true }
      blob = null
    }
  }
}

/** Which of the blobs hold one of the byte strings, across pieces too. */
export async function blobsWith(pieces: AsyncIterable<BlobPiece>, needles: readonly Buffer[]): Promise<Set<string>> {
  const found = new Set<string>()
  const overlap = Math.max(...needles.map(needle => needle.length)) - 1
  let tail = Buffer.alloc(0)
  for await (const { id, bytes, last } of pieces) {
    const window = Buffer.concat([tail, bytes])
    if (needles.some(needle => window.includes(needle))) found.add(id)
    tail = last ? Buffer.alloc(0) : Buffer.from(window.subarray(Math.max(0, window.length - overlap)))
  }
  return found
}
