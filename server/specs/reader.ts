import { constants } from 'node:fs'
import { lstat, open, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { createFeature, type Feature, type FeatureDocument } from './analysis/index.ts'
import { hashOf } from './edits/index.ts'
import { outline, parse, placeOf } from './language/index.ts'

const MOST_FEATURES = 500
const MOST_DOCUMENTS = 100
const LARGEST_DOCUMENT_BYTES = 4 * 1024 * 1024
/** Of all documents of a feature. */
const LARGEST_FEATURE_BYTES = 16 * 1024 * 1024
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
}

/** Reads specs below a work tree, and nothing else: no link is followed, and there is an end to what is read. */
export interface SpecReader {
  /** Names of features, sorted. */
  names(root: string): Promise<{ names: readonly string[]; isComplete: boolean }>
  /** @returns null when there is none of that name */
  read(root: string, name: string): Promise<ReadFeature | null>
}

/** The place of a work tree; null where there is no directory. */
export async function rootOf(path: string): Promise<string | null> {
  const root = await realpath(path).catch(() => null)
  return root !== null && (await isDirectory(root)) ? root : null
}

export function createSpecReader(): SpecReader {
  async function folders(root: string): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    for (const folder of FOLDERS.toReversed()) {
      if (!(await isPlainBelow(root, folder))) continue
      for (const entry of await entriesOf(join(root, folder)))
        if (entry.isDirectory() && !entry.name.startsWith('.')) found.set(entry.name, `${folder}/${entry.name}`)
    }
    return found
  }

  return {
    async names(root) {
      const names = [...(await folders(root)).keys()].sort()
      return { names: names.slice(0, MOST_FEATURES), isComplete: names.length <= MOST_FEATURES }
    },
    async read(root, name) {
      const directory = FOLDERS.map(folder => `${folder}/${name}`)
      const place = (await Promise.all(directory.map(one => isPlainBelow(root, one)))).indexOf(true)
      const at = directory[place]
      if (at === undefined) return null
      const documents: ReadDocument[] = []
      let left = LARGEST_FEATURE_BYTES
      for (const path of await documentsBelow(root, at)) {
        const document = await readDocument(root, path, left)
        if (document) left -= document.bytes.byteLength
        if (document) documents.push(document)
      }
      return documents.length === 0 ? null : { ...createFeature(documents), name, documents }
    },
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

async function readDocument(root: string, path: string, most: number): Promise<ReadDocument | null> {
  const place = placeOf(path)
  const full = join(root, path)
  const file = await open(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => null)
  if (!file || !place) return null
  try {
    const { size } = await file.stat()
    // A directory on the way may have become a link since it was looked at.
    if (size > Math.min(most, LARGEST_DOCUMENT_BYTES) || (await realpath(full)) !== full) return null
    const bytes = Buffer.alloc(size)
    const { bytesRead } = await file.read(bytes, 0, size, 0)
    return documentOf(path, place.kind, bytes.subarray(0, bytesRead))
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
