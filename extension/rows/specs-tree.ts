import type { SpecFeature, SpecFeatureSummary, SpecTask } from '#shared/model/index.ts'
import type { SpecFolder, Specs, SpecsChange } from '../state/specs.ts'
import { plainLine, plainMarkdown } from './plain.ts'
import type { Row, Translate, Tree } from './row.ts'
import { type FeatureNodes, featureNodes, MOST_CHILDREN } from './spec-nodes.ts'
import { factTable } from './spec-task-row.ts'

export interface SpecsTreeDeps {
  readonly specs: Specs
  /** One sentence for a person. */
  readonly sentence: (error: unknown) => string
  readonly t: Translate
}

/** A task, as a row of the tree stands for it. */
export interface SpecTaskOfRow {
  readonly repository: string
  readonly feature: string
  readonly task: SpecTask
}

export interface SpecsTree extends Tree {
  /** Rows that a change makes others, the rows below them left out; null: all. */
  changed(change: SpecsChange): readonly string[] | null
  task(id: string): SpecTaskOfRow | undefined
}

/** Features below a row; after them stands the row of those that come next. */
const PAGE = MOST_CHILDREN - 1
/** Id of the row that holds what comes after so many pages; no feature is called so. */
const pageId = (repository: string, page: number) => `${repository}\n/${page}`
const pageOf = (feature: string): number | null => (feature.startsWith('/') ? Number(feature.slice(1)) : null)

const featureId = (repository: string, feature: string) => `${repository}\n${feature}`

/**
 * Folders where more than one has specs, features, and what is in them. The id of a row is its path from the root, a line each, so that
 * a row is found again after its document changed.
 */
export function createSpecsTree({ specs, sentence, t }: SpecsTreeDeps): SpecsTree {
  /** Of the feature as it was read: another one has rows of its own. */
  const known = new WeakMap<SpecFeature, FeatureNodes>()
  const failures = new Map<string, string>()

  const shownFolders = () => specs.folders().filter(({ features }) => features.length > 0)
  function nodesOf(repository: string, feature: SpecFeature): FeatureNodes {
    const nodes = known.get(feature) ?? featureNodes(feature, { base: featureId(repository, feature.feature), repository, t })
    known.set(feature, nodes)
    return nodes
  }
  function split(id: string): { repository: string; feature: string | undefined; isDeeper: boolean } {
    const [repository = '', feature, ...more] = id.split('\n')
    return { repository, feature, isDeeper: more.length > 0 }
  }
  function node(id: string) {
    const { repository, feature, isDeeper } = split(id)
    const read = feature === undefined || !isDeeper ? undefined : specs.feature(repository, feature)
    return read && nodesOf(repository, read).nodes.get(id)
  }
  const folder = (repository: string) => specs.folders().find(one => one.repository === repository)
  const summary = (repository: string, name: string) => folder(repository)?.features.find(({ feature }) => feature === name)

  function folderRow({ repository, features }: SpecFolder): Row {
    const name = repository.slice(repository.lastIndexOf('/') + 1)
    return {
      id: repository,
      label: plainLine(name),
      description: `${features.length}`,
      icon: 'root-folder',
      context: 'folder',
      children: 'expanded',
    }
  }
  const failureRow = (id: string, failure: string): Row => ({
    id: `${id}\n!`,
    label: plainLine(failure),
    icon: 'error',
    color: 'list.errorForeground',
    context: 'failure',
  })
  async function inside(repository: string, name: string): Promise<readonly Row[]> {
    const id = featureId(repository, name)
    try {
      const { roots, nodes } = nodesOf(repository, await specs.open(repository, name))
      failures.delete(id)
      return roots.flatMap(root => nodes.get(root)?.row ?? [])
    } catch (error) {
      const failure = sentence(error)
      failures.set(id, failure)
      return [failureRow(id, failure)]
    }
  }
  function moreRow({ repository, features }: SpecFolder, page: number): Row {
    const last = Math.min(features.length, (page + 1) * PAGE)
    const label = t('{0} to {1}', page * PAGE + 1, last)
    return { id: pageId(repository, page), label, context: 'part', children: 'collapsed' }
  }
  function featuresOf(own: SpecFolder, page = 0): readonly Row[] {
    const rows = own.features.slice(page * PAGE, (page + 1) * PAGE).map(feature => featureRow(own.repository, feature, t))
    return own.features.length > (page + 1) * PAGE ? [...rows, moreRow(own, page + 1)] : rows
  }
  /** The row that holds the features of a folder. */
  const folderParent = (repository: string) => (shownFolders().length === 1 ? null : repository)
  function parentOfPage(repository: string, page: number): string | null {
    return page > 1 ? pageId(repository, page - 1) : folderParent(repository)
  }
  function parentOfFeature(repository: string, name: string): string | null {
    const at = folder(repository)?.features.findIndex(({ feature }) => feature === name) ?? 0
    return at < PAGE ? folderParent(repository) : pageId(repository, Math.floor(at / PAGE))
  }

  return {
    children(id) {
      if (id === null) {
        const folders = shownFolders()
        const [only] = folders
        return folders.length === 1 && only ? featuresOf(only) : folders.map(folderRow)
      }
      const { repository, feature, isDeeper } = split(id)
      if (feature === undefined)
        return shownFolders()
          .filter(one => one.repository === repository)
          .flatMap(own => featuresOf(own))
      const page = pageOf(feature)
      const own = page === null ? undefined : folder(repository)
      if (page !== null) return own ? featuresOf(own, page) : []
      if (!isDeeper) return inside(repository, feature)
      return node(id)?.children.flatMap(child => node(child)?.row ?? []) ?? []
    },
    row(id) {
      const { repository, feature, isDeeper } = split(id)
      if (feature === undefined) {
        const found = folder(repository)
        return found && folderRow(found)
      }
      const failure = id.endsWith('\n!') ? failures.get(id.slice(0, -2)) : undefined
      if (failure !== undefined) return failureRow(id.slice(0, -2), failure)
      if (isDeeper) return node(id)?.row
      const page = pageOf(feature)
      const own = folder(repository)
      if (page !== null) return own && moreRow(own, page)
      const found = summary(repository, feature)
      return found && featureRow(repository, found, t)
    },
    parent(id) {
      const { repository, feature, isDeeper } = split(id)
      if (isDeeper) return node(id)?.parent ?? featureId(repository, feature ?? '')
      if (feature === undefined) return null
      const page = pageOf(feature)
      return page === null ? parentOfFeature(repository, feature) : parentOfPage(repository, page)
    },
    tooltip(id) {
      const { repository, feature, isDeeper } = split(id)
      if (isDeeper) return node(id)?.tooltip?.()
      if (feature === undefined) return plainMarkdown(repository)
      const found = summary(repository, feature)
      return found && featureTooltip(found, t)
    },
    changed(change) {
      if (change.what === 'features') return null
      const { repository, feature } = change
      const id = featureId(repository, feature)
      if (change.what === 'summary') return [id]
      return differences(id, nodesOf(repository, change.before), nodesOf(repository, change.after))
    },
    task(id) {
      const { repository, feature } = split(id)
      const task = node(id)?.task
      return task && feature !== undefined ? { repository, feature, task } : undefined
    },
  }
}

/** Rows that read differently, or have others below them. */
function differences(base: string, before: FeatureNodes, after: FeatureNodes): readonly string[] {
  if (before.roots.join('\n\n') !== after.roots.join('\n\n')) return [base]
  const changed: string[] = []
  for (const [id, { row, children }] of after.nodes) {
    const old = before.nodes.get(id)
    // A row that was not there is drawn with the one that holds it.
    if (old && looks(old.row, old.children) !== looks(row, children)) changed.push(id)
  }
  return changed
}

/** What is drawn of a row: where it leads is asked for when it is clicked. */
const looks = ({ place, ...row }: Row, children: readonly string[]) => JSON.stringify([row, place !== undefined, children])

/** How Spec Kit's templates begin the title of a document. */
const TEMPLATE = /^(?:Feature Specification|Implementation Plan|Tasks):\s*/i

function featureRow(repository: string, { feature, title, coverage }: SpecFeatureSummary, t: Translate): Row {
  const { tasks, done, problems } = coverage
  const isDone = tasks > 0 && done === tasks
  const words = [title === feature ? null : plainLine(title.replace(TEMPLATE, ''), 80), tasks === 0 ? null : `${done}/${tasks}`]
  if (problems > 0) words.push(t('{0} problems', problems))
  return {
    id: featureId(repository, feature),
    label: plainLine(feature),
    description: words.filter(word => word !== null).join(' · '),
    icon: isDone ? 'pass-filled' : 'notebook',
    ...(isDone ? { color: 'testing.iconPassed' } : {}),
    context: 'feature',
    children: 'collapsed',
  }
}

function featureTooltip({ feature, title, coverage }: SpecFeatureSummary, t: Translate): string {
  const { tasks, done, requirements, covered, clarifications, problems } = coverage
  return factTable(plainMarkdown(title), [
    [t('Feature'), plainMarkdown(feature)],
    [t('Tasks'), t('{0} of {1} done', done, tasks)],
    [t('Requirements'), requirements === 0 ? null : t('{0} of {1} covered by a task', covered, requirements)],
    [t('To be clarified'), clarifications === 0 ? null : String(clarifications)],
    [t('Problems'), problems === 0 ? null : String(problems)],
  ])
}
