import type { SpecFeature, SpecTask } from '#shared/model/index.ts'
import type { Row, Translate } from './row.ts'
import { type Branch, branchesOf } from './spec-branches.ts'

/** Most rows below one; what is more stands below a row of its own. */
export const MOST_CHILDREN = 200

/** A row of a feature, with its place in the tree. */
export interface SpecNode {
  readonly row: Row
  readonly parent: string
  readonly children: readonly string[]
  readonly tooltip: (() => string) | null
  /** The task it stands for. */
  readonly task: SpecTask | null
}

export interface FeatureNodes {
  readonly roots: readonly string[]
  readonly nodes: ReadonlyMap<string, SpecNode>
}

/** All rows below a feature, by their ids. @param options.base id of the row of the feature */
export function featureNodes(feature: SpecFeature, options: { base: string; repository: string; t: Translate }): FeatureNodes {
  const { base, t } = options
  const nodes = new Map<string, SpecNode>()
  function place(parent: string, branches: readonly Branch[]): readonly string[] {
    const shown = chunked(parent, branches, t)
    for (const { row, branches: below = [], tooltip = null, task = null } of shown)
      nodes.set(row.id, { row, parent, children: place(row.id, below), tooltip, task })
    return shown.map(({ row }) => row.id)
  }
  return { roots: place(base, branchesOf(feature, options)), nodes }
}

/** No row has more than {@link MOST_CHILDREN} below it, whoever wrote the document. */
function chunked(parent: string, branches: readonly Branch[], t: Translate): readonly Branch[] {
  if (branches.length <= MOST_CHILDREN) return branches
  const size = MOST_CHILDREN ** Math.ceil(Math.log(branches.length) / Math.log(MOST_CHILDREN) - 1)
  return Array.from({ length: Math.ceil(branches.length / size) }, (_, at) => {
    const own = branches.slice(at * size, (at + 1) * size)
    const id = `${parent}\n+${size}/${at}`
    const last = at * size + own.length
    return { row: { id, label: t('{0} to {1}', at * size + 1, last), context: 'part', children: 'collapsed' }, branches: own }
  })
}
