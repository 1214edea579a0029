import { constants } from 'node:fs'
import { lstat, open, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { FeatureName } from '#shared/model/index.ts'
import { createFeature, type Feature, type FeatureDocument } from './analysis/index.ts'
import { hashOf } from './edits/index.ts'
import { outline, parse, placeOf } from './language/index.ts'
import { createLinks } from './links.ts'

const MOST_FEATURES = 500
const MOST_DOCUMENTS = 100
const LARGEST_DOCUMENT_BYTES = 2 * 1024 * 1024
/** Of all documents of a feature. */
const LARGEST_FEATURE_BYTES = 8 * 1024 * 1024
/** Of all that one list reads. */
const LARGEST_LIST_BYTES = 32 * 1024 * 1024
/** Of documents kept as they were read, so that asking again after one changed reads one anew. */
const MOST_KEPT_BYTES = 2 * 1024 * 1024
/** Where features are; the second is where some versions of Spec Kit put them. */
const FOLDERS = ['specs', '.specify/specs']

export interface ReadDocument extends FeatureDocument {
  readonly bytes: Uint8Array
  readonly sha256: string
  /** What is not UTF-8 cannot be given back as it was, so it is read and not changed. */
  readonly isText: boolean
}
export interface ReadFeature extends Feature {
  readonly name: string
  readonly documents: readonly ReadDocument[]
  /** Paths of documents that were too large to be read. */
  readonly skipped: readonly string[]
  /** Paths that tasks name and that lead out of the work tree by a link. */
  readonly linked: ReadonlySet<string>
}

/** Reads specs below a work tree, and nothing else: no link is followed, and there is an end to what is read. */
export interface SpecReader {
  /** All features, sorted by name, one after the other: together they may be large. Returns whether those were all. */
  readAll(root: string): AsyncGenerator<ReadFeature, boolean>
  /** @returns null when there is none of that name */
  read(root: string, name: string): Promise<ReadFeature | null>
}

/** The place of a work tree; null where there is no directory. */
export async function rootOf(path: string): Promise<string | null> {
  const root = await realpath(path).catch(() => null)
  return root !== null && (await isDirectory(root)) ? root : null
}

export function createSpecReader(): SpecReader {
  const kept = keepDocuments()
  const links = createLinks()

  async function folders(root: string): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    for (const folder of FOLDERS.toReversed()) {
      if (!(await isPlainBelow(root, folder))) continue
      for (const entry of await entriesOf(join(root, folder)))
        if (entry.isDirectory() && FeatureName.safeParse(entry.name).success) found.set(entry.name, `${folder}/${entry.name}`)
    }
    return found
  }

  async function readFeature(root: string, name: string): Promise<ReadFeature | null> {
    const directories = FOLDERS.map(folder => `${folder}/${name}`)
    const directory = directories[(await Promise.all(directories.map(one => isPlainBelow(root, one)))).indexOf(true)]
    if (directory === undefined) return null
    const documents: ReadDocument[] = []
    const skipped: string[] = []
    let left = LARGEST_FEATURE_BYTES
    for (const path of await documentsBelow(root, directory)) {
      const file = await readBytes(root, path, Math.min(left, LARGEST_DOCUMENT_BYTES))
      if (file === 'too large') skipped.push(path)
      if (!file || file === 'too large') continue
      left -= file.bytes.byteLength
      documents.push(kept(join(root, path), file.bytes, () => documentOf(path, file.kind, file.bytes)))
    }
    if (documents.length + skipped.length === 0) return null
    const feature = createFeature(documents)
    return { ...feature, name, documents, skipped, linked: await links.leaving(root, feature) }
  }

  return {
    async *readAll(root) {
      const names = [...(await folders(root)).keys()].sort()
      let left = LARGEST_LIST_BYTES
      for (const name of names.slice(0, MOST_FEATURES)) {
        if (left < LARGEST_FEATURE_BYTES) return false
        const feature = await readFeature(root, name)
        if (!feature) continue
        for (const { bytes } of feature.documents) left -= bytes.byteLength
        yield feature
      }
      return names.length <= MOST_FEATURES
    },
    read: readFeature,
  }
}

/** Remembers documents by their place and content, the newest first to stay. */
function keepDocuments() {
  const known = new Map<string, ReadDocument>()
  let size = 0
  const drop = (place: string): void => {
    size -= known.get(place)?.bytes.byteLength ?? 0
    known.delete(place)
  }
  return (place: string, bytes: Uint8Array, read: () => ReadDocument): ReadDocument => {
    const before = known.get(place)
    const document = before && Buffer.compare(before.bytes, bytes) === 0 ? before : read()
    drop(place)
    known.set(place, document)
    size += bytes.byteLength
    for (const oldest of known.keys()) {
      if (size <= MOST_KEPT_BYTES) break
      drop(oldest)
    }
    return document
  }
}

async function documentsBelow(root: string, directory: string): Promise<string[]> {
  const paths: string[] = []
  for (const folder of [directory, `${directory}/checklists`]) {
    if (!(await isPlainBelow(root, folder))) continue
    for (const entry of await entriesOf(join(root, folder)))
      if (entry.isFile() && entry.name.toLowerCase().endsWith('.md')) paths.push(`${folder}/${entry.name}`)
  }
  return paths.sort().slice(0, MOST_DOCUMENTS)
}

const entriesOf = async (path: string) => await readdir(path, { withFileTypes: true }).catch(() => [])
const isDirectory = async (path: string): Promise<boolean> => (await lstat(path).catch(() => null))?.isDirectory() ?? false

/** Whether every step from the root to a directory is a directory and no link. */
async function isPlainBelow(root: string, path: string): Promise<boolean> {
  let at = root
  for (const part of path.split('/')) {
    if (part === '' || part === '.' || part === '..') return false
    at = join(at, part)
    if (!(await isDirectory(at))) return false
  }
  return true
}

async function readBytes(
  root: string,
  path: string,
  most: number,
): Promise<{ kind: ReadDocument['kind']; bytes: Uint8Array } | 'too large' | null> {
  const place = placeOf(path)
  const full = join(root, path)
  const file = await open(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => null)
  if (!file) return null
  try {
    const { size } = await file.stat()
    // A directory on the way may have become a link since it was looked at.
    if (!place || (await realpath(full)) !== full) return null
    if (size > most) return 'too large'
    const bytes = Buffer.alloc(size)
    const { bytesRead } = await file.read(bytes, 0, size, 0)
    return { kind: place.kind, bytes: bytes.subarray(0, bytesRead) }
  } catch {
    return null
  } finally {
    await file.close()
  }
}

function documentOf(path: string, kind: ReadDocument['kind'], bytes: Uint8Array): ReadDocument {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  const document = parse(text)
  const isText = Buffer.from(text).equals(bytes)
  return { path, kind, document, outline: outline(document, kind), bytes, sha256: hashOf(bytes), isText }
}
