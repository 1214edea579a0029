import type { SpecDocumentKind, SpecFeature, SpecRequirement, SpecStory, SpecTask } from '#shared/model/index.ts'
import { plainLine, plainMarkdown } from './plain.ts'
import type { Row, Translate } from './row.ts'
import { factTable, named, taskRow, taskTooltip } from './spec-task-row.ts'

/** A row with the rows below it. */
export interface Branch {
  readonly row: Row
  readonly branches?: readonly Branch[]
  readonly tooltip?: () => string
  readonly task?: SpecTask
}

export interface BranchOptions {
  /** Id of the row of the feature. */
  readonly base: string
  /** Work tree. */
  readonly repository: string
  readonly t: Translate
}

/**
 * What stands below a feature: its user stories, or phases where tasks serve none, with their tasks; its requirements and criteria with the
 * tasks that cover them; its documents.
 */
export function branchesOf(feature: SpecFeature, options: BranchOptions): readonly Branch[] {
  const { t } = options
  return [
    ...taskGroups(feature, options),
    ...requirementGroup('requirements', t('Requirements'), feature, options),
    ...requirementGroup('criteria', t('Success Criteria'), feature, options),
    documentGroup(feature, options),
  ]
}

/** Ids of rows for what may stand there twice. */
function unique(): (id: string) => string {
  const seen = new Map<string, number>()
  return id => {
    const count = (seen.get(id) ?? 0) + 1
    seen.set(id, count)
    return count === 1 ? id : `${id}#${count}`
  }
}

function taskGroups(feature: SpecFeature, options: BranchOptions): Branch[] {
  const { base, repository, t } = options
  const idOf = unique()
  const taskBranch = (task: SpecTask): Branch => ({
    row: taskRow(task, { id: idOf(`${base}\ntask\n${task.id}`), repository, t }),
    tooltip: () => taskTooltip(task, feature, t),
    task,
  })
  const stories = new Map(feature.stories.map(story => [story.id, story]))
  const byStory = (task: SpecTask) => (task.story !== null && stories.has(task.story) ? task.story : null)
  const groups = Map.groupBy(feature.tasks, task => {
    const story = byStory(task)
    return story === null ? `phase\n${task.phase ?? ''}` : `story\n${story}`
  })
  for (const id of stories.keys()) if (!groups.has(`story\n${id}`)) groups.set(`story\n${id}`, [])
  return [...groups].map(([key, tasks]) => {
    const story = key.startsWith('story\n') ? stories.get(key.slice('story\n'.length)) : undefined
    const branches = tasks.map(taskBranch)
    const id = `${base}\n${key}`
    return story ? storyBranch(story, { id, tasks, branches, options }) : phaseBranch({ id, tasks, branches, options })
  })
}

interface Group {
  readonly id: string
  readonly tasks: readonly SpecTask[]
  readonly branches: readonly Branch[]
  readonly options: BranchOptions
}

function progress(tasks: readonly SpecTask[], t: Translate): string {
  return tasks.length === 0 ? t('no tasks') : `${tasks.filter(({ isDone }) => isDone).length}/${tasks.length}`
}

const folding = (tasks: readonly SpecTask[]): Pick<Row, 'children'> => (tasks.length === 0 ? {} : { children: 'expanded' })

function storyBranch({ title, priority, path, line, id: story }: SpecStory, { id, tasks, branches, options }: Group): Branch {
  const { repository, t } = options
  return {
    row: {
      id,
      label: plainLine(`${story} ${title}`),
      description: priority === null ? progress(tasks, t) : `${progress(tasks, t)} · ${plainLine(priority, 20)}`,
      icon: 'person',
      context: 'story written',
      ...folding(tasks),
      place: { repository, path, line },
    },
    branches,
    tooltip: () =>
      factTable(plainMarkdown(`${story} ${title}`), [
        [t('Priority'), priority === null ? null : plainMarkdown(priority)],
        [t('Done'), named(idsOf(tasks, true), t)],
        [t('Open'), named(idsOf(tasks, false), t)],
        [t('Stands in'), plainMarkdown(`${path}:${line + 1}`)],
      ]),
  }
}

function phaseBranch({ id, tasks, branches, options: { t } }: Group): Branch {
  const label = tasks[0]?.phase ?? t('Tasks')
  return {
    row: { id, label: plainLine(label), description: progress(tasks, t), icon: 'milestone', context: 'phase', ...folding(tasks) },
    branches,
    tooltip: () =>
      factTable(plainMarkdown(label), [
        [t('Done'), named(idsOf(tasks, true), t)],
        [t('Open'), named(idsOf(tasks, false), t)],
      ]),
  }
}

const idsOf = (tasks: readonly SpecTask[], isDone: boolean) => tasks.filter(one => one.isDone === isDone).map(({ id }) => id)

function requirementGroup(
  kind: 'requirements' | 'criteria',
  label: string,
  feature: SpecFeature,
  options: BranchOptions,
): readonly Branch[] {
  const all = feature[kind]
  if (all.length === 0) return []
  const { base, t } = options
  const covered = all.filter(({ tasks }) => tasks.length > 0).length
  const tasks = new Map(feature.tasks.map(task => [task.id, task]))
  const idOf = unique()
  const id = `${base}\n${kind}`
  const isGap = kind === 'requirements' && covered < all.length
  return [
    {
      row: {
        id,
        label,
        description: t('{0} of {1} covered', covered, all.length),
        icon: 'checklist',
        ...(isGap ? { color: 'list.warningForeground' } : {}),
        context: kind,
        children: 'collapsed',
      },
      branches: all.map(one => requirementBranch(one, { id: idOf(`${id}\n${one.id}`), feature, tasks, options })),
    },
  ]
}

function requirementBranch(
  requirement: SpecRequirement,
  own: { id: string; feature: SpecFeature; tasks: ReadonlyMap<string, SpecTask>; options: BranchOptions },
): Branch {
  const { repository, t } = own.options
  const covering = requirement.tasks.flatMap(id => own.tasks.get(id) ?? [])
  const isDone = covering.length > 0 && covering.every(task => task.isDone)
  const [icon, color] = isDone
    ? ['pass', 'testing.iconPassed']
    : covering.length > 0
      ? ['circle-large-outline', null]
      : ['warning', 'list.warningForeground']
  return {
    row: {
      id: own.id,
      label: plainLine(`${requirement.id} ${requirement.text}`),
      description: covering.length === 0 ? t('no task covers it') : progress(covering, t),
      ...(icon ? { icon } : {}),
      ...(color ? { color } : {}),
      context: 'requirement written',
      ...(covering.length === 0 ? {} : { children: 'collapsed' }),
      place: { repository, path: requirement.path, line: requirement.line },
    },
    branches: covering.map(task => ({
      row: taskRow(task, { id: `${own.id}\n${task.id}`, repository, t }),
      tooltip: () => taskTooltip(task, own.feature, t),
      task,
    })),
    tooltip: () =>
      factTable(plainMarkdown(requirement.id), [
        [t('Says'), plainMarkdown(requirement.text)],
        [t('Covered by'), covering.length === 0 ? t('no task') : named(requirement.tasks, t)],
        [t('Open'), named(idsOf(covering, false), t)],
        [t('Stands in'), plainMarkdown(`${requirement.path}:${requirement.line + 1}`)],
      ]),
  }
}

const DOCUMENT_ICONS: Readonly<Record<SpecDocumentKind, string>> = {
  spec: 'book',
  plan: 'map',
  tasks: 'tasklist',
  checklist: 'checklist',
  constitution: 'law',
  research: 'microscope',
  'data-model': 'database',
  quickstart: 'rocket',
  other: 'markdown',
}

function documentGroup({ feature: name, documents, checks, problems }: SpecFeature, options: BranchOptions): Branch {
  const { base, repository, t } = options
  const id = `${base}\ndocuments`
  return {
    row: {
      id,
      label: t('Documents'),
      description: `${documents.length}`,
      icon: 'files',
      context: 'documents',
      children: 'collapsed',
    },
    branches: documents.map(({ path, kind }) => {
      const own = checks.filter(check => check.path === path)
      const done = own.filter(({ isDone }) => isDone).length
      const wrong = problems.filter(one => one.path === path && (one.severity === 'error' || one.severity === 'warning'))
      const short = path.startsWith(`specs/${name}/`) ? path.slice(`specs/${name}/`.length) : path
      const words = [own.length > 0 ? `${done}/${own.length}` : null, wrong.length > 0 ? t('{0} problems', wrong.length) : null]
      return {
        row: {
          id: `${id}\n${path}`,
          label: plainLine(short),
          description: words.filter(word => word !== null).join(' · '),
          icon: DOCUMENT_ICONS[kind],
          ...(wrong.length > 0 ? { color: 'list.warningForeground' } : {}),
          context: 'document written',
          place: { repository, path, line: 0 },
        },
        tooltip: () =>
          factTable(plainMarkdown(path), [
            [t('Checks reviewed'), own.length === 0 ? null : t('{0} of {1}', done, own.length)],
            ...wrong.slice(0, 10).map(one => [t('Line {0}', one.line + 1), plainMarkdown(one.message)] as const),
          ]),
      }
    }),
  }
}
