import type { Handlers } from '#server/lib/call.ts'
import type { SpecJobRow } from '#server/store/index.ts'
import { WorkspaceError } from '#server/workspace/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { SpecBase, SpecChange, SpecJob } from '#shared/model/index.ts'
import { applyEdits, hashOf, rename, replaceText, requireBase, SpecEditError, tick } from './edits/index.ts'
import { print, type TextEdit } from './language/index.ts'
import type { Offers } from './offers.ts'
import { presentFeature, summaryOf } from './present.ts'
import { type ReadDocument, type ReadFeature, rootOf, type SpecReader } from './reader.ts'

export interface SpecDeps {
  readonly reader: SpecReader
  readonly offers: Offers
  jobs(feature: string): Promise<readonly SpecJobRow[]>
  /** Name of another node. */
  nameOf(worker: string): string
  writeBranch(input: {
    repositoryPath: string
    name: string
    message: string
    files: readonly { path: string; bytes: Uint8Array }[]
  }): Promise<{ commit: string }>
}

export type SpecHandlers = Pick<Handlers, 'listSpecs' | 'getSpec' | 'editSpec' | 'getSpecOffer' | 'answerSpecOffer'>

export function createSpecHandlers(deps: SpecDeps): SpecHandlers {
  const { reader, offers } = deps

  async function requireRoot(path: string): Promise<string> {
    const root = await rootOf(path)
    if (root === null) throw new ApiError('not_found', `There is no directory ${path} on this machine.`)
    return root
  }
  async function requireFeature(root: string, name: string): Promise<ReadFeature> {
    const feature = await reader.read(root, name)
    if (feature) return feature
    throw new ApiError('not_found', `${root} has no feature ${name}.`, { remedy: '`skein spec list` names those there are.' })
  }
  async function present(root: string, asked: string, feature: ReadFeature) {
    const rows = (await deps.jobs(feature.name)).filter(({ repository }) => repository === root || repository === asked)
    const jobs = new Map<string, SpecJob>()
    for (const { task, jobId, state, worker } of rows)
      if (!jobs.has(task)) jobs.set(task, { jobId, state, node: worker === null ? null : deps.nameOf(worker) })
    return presentFeature(feature, jobs)
  }

  return {
    async listSpecs({ query }) {
      const root = await requireRoot(query.repository)
      const { names, isComplete } = await reader.names(root)
      const items = []
      for (const name of names) {
        const feature = await reader.read(root, name)
        if (feature) items.push(summaryOf(await present(root, query.repository, feature)))
      }
      return { status: 200, body: { items, isComplete } }
    },
    async getSpec({ params, query }) {
      const root = await requireRoot(query.repository)
      return { status: 200, body: await present(root, query.repository, await requireFeature(root, params.feature)) }
    },
    async editSpec({ params, body }) {
      const root = await requireRoot(body.repository)
      const feature = await requireFeature(root, params.feature)
      const changes = orProblem(() => changesOf(feature, body.change, body.bases))
      if (changes.length === 0) return { status: 200, body: { status: 'unchanged' } }
      if (offers.isAttended(root)) {
        const documents = changes.map(({ document, edits }) => ({ path: document.path, sha256: document.sha256, edits }))
        const { id } = offers.offer({ repository: root, feature: feature.name, reason: body.reason, documents })
        return { status: 202, body: { status: 'offered', offer: id } }
      }
      const files = changes.map(({ document, edits }) => ({
        path: document.path,
        bytes: Buffer.from(applyEdits(print(document.document), edits)),
      }))
      const branch = branchName(feature.name, files)
      try {
        const { commit } = await deps.writeBranch({ repositoryPath: root, name: branch, message: body.reason, files })
        return { status: 201, body: { status: 'written', branch, commit } }
      } catch (cause) {
        if (!(cause instanceof WorkspaceError)) throw cause
        throw new ApiError('snapshot_failed', cause.message, { cause, ...(cause.remedy ? { remedy: cause.remedy } : {}) })
      }
    },
    async getSpecOffer({ params }) {
      return { status: 200, body: offers.get(params.id) }
    },
    async answerSpecOffer({ params, body }) {
      offers.answer(params.id, body.outcome, body.detail)
      return { status: 200, body: { ok: true } }
    },
  }
}

interface Change {
  readonly document: ReadDocument
  readonly edits: TextEdit[]
}

/** What a change does to which documents. @throws {SpecEditError} also when one of them is not the one it was made for */
function changesOf(feature: ReadFeature, change: SpecChange, bases: readonly SpecBase[]): Change[] {
  const byPath = new Map(feature.documents.map(document => [document.path, document]))
  const find = (path: string): ReadDocument => {
    const document = byPath.get(path)
    if (document?.isText) return document
    const why = document ? `${path} is not UTF-8.` : `The feature has no document ${path}.`
    throw new SpecEditError('no_such_document', why)
  }
  for (const base of bases) requireBase(base, find(base.path).bytes)
  return editsOf(feature, change, find)
    .filter(({ edits }) => edits.length > 0)
    .map(({ path, edits }) => {
      if (!bases.some(base => base.path === path))
        throw new SpecEditError('base_moved', `The change reaches ${path}, which it was not made for.`, 'Name it among `bases`.')
      return { document: find(path), edits }
    })
}

function editsOf(
  { documents }: ReadFeature,
  change: SpecChange,
  find: (path: string) => ReadDocument,
): readonly { path: string; edits: TextEdit[] }[] {
  switch (change.kind) {
    case 'tick':
      return [tick(documents, change.task, change.done)]
    case 'rename':
      return rename(documents, change.from, change.to)
    case 'replace':
      return [{ path: change.path, edits: replaceText(find(change.path).document, change.text) }]
  }
}

function orProblem<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (!(cause instanceof SpecEditError)) throw cause
    const remedy = cause.remedy === undefined ? {} : { remedy: cause.remedy }
    throw new ApiError(cause.code === 'base_moved' ? 'base_moved' : 'edit_refused', cause.message, { cause, ...remedy })
  }
}

/** The same for the same change, so that asking twice makes one branch. */
function branchName(feature: string, files: readonly { path: string; bytes: Uint8Array }[]): string {
  const content = hashOf(files.map(({ path, bytes }) => `${path} ${hashOf(bytes)}`).join('\n'))
  const name = feature.replaceAll(/[^A-Za-z0-9_-]+/g, '-').replace(/^-+/, '') || 'feature'
  return `skein/specs/${name}-${content.slice(0, 12)}`
}
