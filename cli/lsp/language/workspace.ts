import { realpath } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  createFeature,
  createLinks,
  createSpecReader,
  type Document,
  type Feature,
  type FeatureDocument,
  type Outline,
  outline,
  type Place,
  parse,
  placeOf,
  print,
} from '#server/specs/index.ts'
import type { SpecDocumentKind } from '#shared/model/index.ts'
import type { OpenDocument } from './documents.ts'

/** Where a document lies. */
export interface Located extends Place {
  /** Work tree it is in. */
  readonly root: string
  /** Below that, with forward slashes. */
  readonly path: string
}

/** A document of a feature as an editor knows it. */
export interface WorkspaceDocument extends FeatureDocument {
  readonly uri: string
  /** Of the document in the editor; null when it is on disk only. */
  readonly version: number | null
  /** What is not UTF-8 is shown by an editor as something else than it is: it is not changed. */
  readonly isText: boolean
}

/** A feature as it is in the editor: what is open there, saved or not, and the rest from disk. */
export interface WorkspaceFeature extends Feature {
  readonly root: string
  readonly name: string
  readonly documents: readonly WorkspaceDocument[]
  /** Paths that tasks name and that lead out of the work tree by a link. */
  readonly linked: ReadonlySet<string>
}

export interface SpecWorkspace {
  setFolders(uris: readonly string[]): void
  /** Work trees that are open. */
  roots(): readonly string[]
  /** @returns null for what is no document of Spec Kit */
  locate(uri: string): Located | null
  /** The feature of a document as it is now; null where it belongs to none. */
  featureOf(uri: string): Promise<WorkspaceFeature | null>
  feature(root: string, name: string): Promise<WorkspaceFeature | null>
  /** What an open document says, whether it belongs to a feature or not; null when it is not open or none of Spec Kit. */
  open(uri: string): { readonly document: Document; readonly outline: Outline } | null
  /** A file changed on disk: what was read of its feature counts no more. */
  forget(uri: string): void
}

/** A folder of specs somewhere: the work tree is what it is in. */
const SOMEWHERE = /^(.*?)\/((?:\.specify\/)?specs\/[^/]+\/.+|\.specify\/.+)$/

interface DiskDocument extends FeatureDocument {
  readonly isText: boolean
}

/** @param opened what is open in the editor now, by its URI */
export function createSpecWorkspace(opened: {
  all(): readonly OpenDocument[]
  get(uri: string): OpenDocument | undefined
}): SpecWorkspace {
  const reader = createSpecReader()
  const links = createLinks()
  let folders: string[] = []
  const onDisk = new Map<string, Promise<readonly DiskDocument[]>>()
  const places = new Map<string, Located | null>()
  const outlines = new WeakMap<Document, Outline>()
  /** The last that was put together of each feature. */
  const assembled = new Map<string, WorkspaceFeature>()
  const keyOf = (root: string, name: string): string => `${root}\0${name}`

  function locate(uri: string): Located | null {
    const known = places.get(uri)
    if (known !== undefined) return known
    const place = find(uri)
    places.set(uri, place)
    return place
  }

  function find(uri: string): Located | null {
    const file = fileOf(uri)
    if (file === null) return null
    const inside = folders.filter(folder => file.startsWith(`${folder}/`)).sort((one, other) => other.length - one.length)
    for (const root of inside) {
      const path = file.slice(root.length + 1)
      const place = placeOf(path)
      if (place) return { ...place, root, path }
    }
    if (inside.length > 0) return null
    const [, root, path = ''] = SOMEWHERE.exec(file) ?? []
    const place = placeOf(path)
    return root !== undefined && place ? { ...place, root, path } : null
  }

  function outlineOf(document: Document, kind: SpecDocumentKind): Outline {
    const known = outlines.get(document)
    if (known?.kind === kind) return known
    const made = outline(document, kind)
    outlines.set(document, made)
    return made
  }

  async function read(root: string, name: string): Promise<readonly DiskDocument[]> {
    // The reader follows no link; the folder of an editor may be one.
    const place = await realpath(root).catch(() => root)
    const feature = await reader.read(place, name)
    return (feature?.documents ?? []).map(({ path, kind, document, outline: said, isText }) => {
      if (!document.lines[0]?.text.startsWith('\uFEFF')) return { path, kind, document, outline: said, isText }
      // Editors do not count the mark of byte order.
      const bare = parse(print(document).slice(1))
      return { path, kind, document: bare, outline: outline(bare, kind), isText }
    })
  }

  async function feature(root: string, name: string): Promise<WorkspaceFeature | null> {
    const key = keyOf(root, name)
    const disk = onDisk.get(key) ?? read(root, name)
    onDisk.set(key, disk)
    const documents = new Map<string, WorkspaceDocument>()
    for (const one of await disk) documents.set(one.path, { ...one, uri: uriOf(root, one.path), version: null })
    for (const { uri, version, document } of opened.all()) {
      const place = locate(uri)
      if (place?.root !== root || place.feature !== name) continue
      const { path, kind } = place
      documents.set(path, { path, kind, uri, version, document, outline: outlineOf(document, kind), isText: true })
    }
    const parts = [...documents.values()].sort((one, other) => (one.path < other.path ? -1 : 1))
    if (parts.length === 0) return null
    const last = assembled.get(key)
    const isSame =
      last?.documents.length === parts.length &&
      parts.every(({ document, version }, index) => {
        const before = last.documents[index]
        return before?.document === document && before.version === version
      })
    if (last && isSame) return last
    const feature = createFeature(parts)
    const made = { ...feature, root, name, documents: parts, linked: await links.leaving(root, feature) }
    assembled.set(key, made)
    return made
  }

  return {
    setFolders(uris) {
      folders = uris.flatMap(uri => fileOf(uri)?.replace(/\/+$/, '') ?? [])
      places.clear()
    },
    roots: () => folders,
    locate,
    feature,
    async featureOf(uri) {
      const place = locate(uri)
      return place?.feature ? feature(place.root, place.feature) : null
    },
    open(uri) {
      const place = locate(uri)
      const document = opened.get(uri)?.document
      return place && document ? { document, outline: outlineOf(document, place.kind) } : null
    },
    forget(uri) {
      const place = locate(uri)
      if (!place?.feature) return
      const key = keyOf(place.root, place.feature)
      onDisk.delete(key)
      assembled.delete(key)
    },
  }
}

const uriOf = (root: string, path: string): string => pathToFileURL(`${root}/${path}`).href

function fileOf(uri: string): string | null {
  try {
    return uri.startsWith('file:') ? fileURLToPath(uri).replaceAll('\\', '/') : null
  } catch {
    return null
  }
}
