import { createSpecs, type SpecSource, type SpecsChange } from '#extension/state/specs.ts'
import type { SpecFeature, SpecFeatureSummary, SpecJob, SpecTask } from '#shared/model/index.ts'
import { plain } from '#test/fakes/editor-jobs.ts'

export const APP = '/src/app'
const TASKS = 'specs/001-login/tasks.md'

export const specTask = (id: string, change: Partial<SpecTask> = {}): SpecTask => ({
  ...{ id, title: `do ${id}`, isDone: false, isParallel: false, story: null, phase: 'Phase 1: Setup', after: [], paths: [] },
  ...{ path: TASKS, line: Number(id.slice(1)), job: null },
  ...change,
})
export const specJob = (state: SpecJob['state'], change: Partial<SpecJob> = {}): SpecJob => ({
  ...{ jobId: 'job00000000001', state, node: null, checks: { green: 0, all: 0 } },
  ...{ commands: [], wording: 'same' },
  ...change,
})

/** A feature with these tasks. */
export function featureOf(tasks: readonly SpecTask[], change: Partial<SpecFeature> = {}): SpecFeature {
  const done = tasks.filter(({ isDone }) => isDone).length
  return {
    feature: '001-login',
    title: 'Sign in',
    documents: [{ path: TASKS, kind: 'tasks', sha256: 'a'.repeat(64) }],
    coverage: { tasks: tasks.length, done, requirements: 0, covered: 0, clarifications: 0, problems: 0 },
    ...{ stories: [], requirements: [], criteria: [], tasks: [...tasks], checks: [], problems: [] },
    ...change,
  }
}
const summaryOf = ({ feature, title, documents, coverage }: SpecFeature): SpecFeatureSummary => ({
  ...{ feature, title, documents, coverage },
})

/** An orchestrator that has the features it is given, and a mirror of them. */
export function specsOf(features: Readonly<Record<string, readonly SpecFeature[]>>) {
  const all = new Map(Object.entries(features).map(([repository, own]) => [repository, [...own]]))
  const asked: string[] = []
  const find = (repository: string) => {
    const found = all.get(repository)
    if (!found) throw new Error(`There is no directory ${repository} on this machine.`)
    return found
  }
  const source: SpecSource = {
    async list(repository) {
      asked.push(repository)
      return { items: find(repository).map(summaryOf), isComplete: true }
    },
    async get(repository, name) {
      asked.push(`${repository} ${name}`)
      const found = find(repository).find(({ feature }) => feature === name)
      if (!found) throw new Error(`${repository} has no feature ${name}.`)
      return structuredClone(found)
    },
  }
  const specs = createSpecs({ source, sentence })
  const heard: SpecsChange[] = []
  specs.onChange(change => heard.push(change))
  return { specs, asked, heard, features: all, deps: { specs, sentence, t: plain } }
}

const sentence = (error: unknown) => (error instanceof Error ? error.message : String(error))
