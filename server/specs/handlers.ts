import type { Handlers } from '#server/lib/call.ts'
import type { SpecJobRow } from '#server/store/index.ts'
import { WorkspaceError } from '#server/workspace/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { checksText, type SpecEvidence, type SpecJob } from '#shared/model/index.ts'
import type { PlacedTask } from './analysis/index.ts'
import { changesOf } from './changes.ts'
import { applyEdits, SpecEditError } from './edits/index.ts'
import { print } from './language/index.ts'
import type { Offers } from './offers.ts'
import { presentFeature, summaryOf } from './present.ts'
import { evidenceOf, specJob } from './proof.ts'
import { type ReadFeature, rootOf, type SpecReader } from './reader.ts'
import { newlyTicked, wordingOf } from './ticks.ts'

export interface SpecDeps {
  readonly reader: SpecReader
  readonly offers: Offers
  jobs(feature: string): Promise<readonly SpecJobRow[]>
  /** Name of another node. */
  nameOf(worker: string): string
  writeBranch(input: {
    directory: string
    prefix: string
    message: string
    files: readonly { path: string; bytes: Uint8Array }[]
  }): Promise<{ branch: string; commit: string }>
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
  /** The newest job of each task that started from this work tree, whatever name it was given by, held to a wording of the task. */
  async function jobsOf(root: string, feature: string): Promise<(task: string, wording: () => string) => SpecJob | null> {
    const rows = await deps.jobs(feature)
    const trees = new Map<string, string | null>()
    for (const path of new Set(rows.map(({ repository }) => repository))) trees.set(path, await rootOf(path))
    const newest = new Map<string, SpecJobRow>()
    for (const row of rows) if (trees.get(row.repository) === root && !newest.has(row.task)) newest.set(row.task, row)
    return (task, wording) => {
      const row = newest.get(task)
      return row ? specJob(row, wording(), row.worker === null ? null : deps.nameOf(row.worker)) : null
    }
  }
  async function present(root: string, feature: ReadFeature) {
    const jobOf = await jobsOf(root, feature.name)
    const documents = new Map(feature.documents.map(({ path, document }) => [path, document]))
    return presentFeature(feature, (task: PlacedTask) => {
      const document = documents.get(task.path)
      return document ? jobOf(task.id, () => wordingOf(document, task)) : null
    })
  }

  return {
    async listSpecs({ query }) {
      const root = await requireRoot(query.repository)
      const items = []
      const features = reader.readAll(root)
      for (let next = await features.next(); ; next = await features.next()) {
        if (next.done) return { status: 200, body: { items, isComplete: next.value } }
        items.push(summaryOf(await present(root, next.value)))
      }
    },
    async getSpec({ params, query }) {
      const root = await requireRoot(query.repository)
      return { status: 200, body: await present(root, await requireFeature(root, params.feature)) }
    },
    async editSpec({ params, body }) {
      const root = await requireRoot(body.repository)
      const feature = await requireFeature(root, params.feature)
      const changes = orProblem(() => changesOf(feature, body.change, body.bases))
      if (changes.length === 0) return { status: 200, body: { status: 'unchanged' } }
      const ticked = newlyTicked(feature, body.change, changes)
      const jobOf = ticked.length > 0 ? await jobsOf(root, feature.name) : null
      const evidence = evidenceOf(ticked, (task, wording) => jobOf?.(task, () => wording) ?? null)
      if (offers.isAttended(root)) {
        const documents = changes.map(({ document: { path, sha256 }, edits }) => ({ path, sha256, edits: [...edits] }))
        const { id } = offers.offer({ repository: root, feature: feature.name, reason: body.reason, documents, evidence })
        return { status: 202, body: { status: 'offered', offer: id } }
      }
      const files = changes.map(({ document, edits }) => ({
        path: document.path,
        bytes: Buffer.from(applyEdits(print(document.document), edits)),
      }))
      const prefix = `skein/specs/${inRefs(feature.name)}`
      try {
        const written = await deps.writeBranch({ directory: root, prefix, message: messageOf(body.reason, evidence), files })
        return { status: 201, body: { status: 'written', ...written } }
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

function orProblem<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (!(cause instanceof SpecEditError)) throw cause
    const remedy = cause.remedy === undefined ? {} : { remedy: cause.remedy }
    throw new ApiError(cause.code === 'base_moved' ? 'base_moved' : 'edit_refused', cause.message, { cause, ...remedy })
  }
}

const inRefs = (name: string): string => name.replaceAll(/[^A-Za-z0-9_-]+/g, '-').replace(/^-+/, '') || 'feature'

/** Of the commit: what is done, and what says so. */
const messageOf = (reason: string, evidence: readonly SpecEvidence[]): string =>
  [reason, ...evidence.map(one => `${one.task}: job ${one.jobId}, checks ${checksText(one)}`)].join('\n\n')
