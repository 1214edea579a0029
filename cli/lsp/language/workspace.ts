import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  createFeature,
  createSpecReader,
  type Document,
  type Feature,
  type FeatureDocument,
  type Outline,
  outline,
  type Place,
  placeOf,
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

/** A feature as it is in the editor: what is open there, saved or not, and the rest from disk. */
export interface WorkspaceFeature extends Feature {
  readonly root: string
  readonly name: string
}

export interface SpecWorkspace {
  setFolders(uris: readonly string[]): void
  /** Work trees that are open. */
  roots(): readonly string[]
  locate(uri: string): Located | null
  uriOf(root: string, path: string): string
  /** The feature of a document; null where it belongs to none. */
  featureOf(uri: string): Promise<WorkspaceFeature | null>
  feature(root: string, name: string): Promise<WorkspaceFeature | null>
  outlineOf(document: Document, kind: SpecDocumentKind): Outline
  /** Files changed on disk: what was read of this feature counts no more. */
  forget(uri: string): void
}

/** A folder of specs somewhere below: the work tree is what it is in. */
const SOMEWHERE = /^(.*?)\/((?:\.specify\/)?specs\/[^/]+\/.+|\.specify\/.+)$/

export function createSpecWorkspace(open: () => readonly OpenDocument[]): SpecWorkspace {
  const reader = createSpecReader()
  let folders: string[] = []
  const onDisk = new Map<string, Promise<readonly FeatureDocument[]>>()
  const outlines = new WeakMap<Document, Outline>()
  /** The last feature that was put together, and of what. */
  const assembled = new Map<string, { parts: readonly Document[]; feature: WorkspaceFeature }>()

  function locate(uri: string): Located | null {
    const file = fileOf(uri)
    if (file === null) return null
    const inside = folders.filter(folder => file.startsWith(`${folder}/`)).toSorted((one, other) => other.length - one.length)
    for (const root of inside) {
      const path = file.slice(root.length + 1)
      const place = placeOf(path)
      if (place) return { ...place, root, path }
    }
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

  function readDisk(root: string, name: string): Promise<readonly FeatureDocument[]> {
    const key = `${root}\0${name}`
    const known = onDisk.get(key) ?? reader.read(root, name).then(feature => feature?.documents ?? [])
    onDisk.set(key, known)
    return known
  }

  async function feature(root: string, name: string): Promise<WorkspaceFeature | null> {
    const documents = new Map((await readDisk(root, name)).map(document => [document.path, document]))
    for (const { uri, document } of open()) {
      const place = locate(uri)
      if (place?.root !== root || place.feature !== name) continue
      documents.set(place.path, { path: place.path, kind: place.kind, document, outline: outlineOf(document, place.kind) })
    }
    const parts = [...documents.values()].toSorted((one, other) => (one.path < other.path ? -1 : 1))
    if (parts.length === 0) return null
    const key = `${root}\0${name}`
    const last = assembled.get(key)
    const isSame = last?.parts.length === parts.length && parts.every(({ document }, index) => document === last.parts[index])
    if (last && isSame) return last.feature
    const made = { ...createFeature(parts), root, name }
    assembled.set(key, { parts: parts.map(({ document }) => document), feature: made })
    return made
  }

  return {
    setFolders(uris) {
      folders = uris.flatMap(uri => fileOf(uri)?.replace(/\/+$/, '') ?? [])
    },
    roots: () => folders,
    locate,
    uriOf: (root, path) => {
      const isOpen = open().find(({ uri }) => {
        const place = locate(uri)
        return place?.root === root && place.path === path
      })
      // An editor may write an address in another way than this process would.
      return isOpen?.uri ?? pathToFileURL(`${root}/${path}`).href
    },
    async featureOf(uri) {
      const place = locate(uri)
      return place?.feature ? feature(place.root, place.feature) : null
    },
    feature,
    outlineOf,
    forget(uri) {
      const place = locate(uri)
      if (place?.feature) onDisk.delete(`${place.root}\0${place.feature}`)
    },
  }
}

function fileOf(uri: string): string | null {
  try {
    return uri.startsWith('file:') ? fileURLToPath(uri).replaceAll('\\', '/') : null
  } catch {
    return null
  }
}
