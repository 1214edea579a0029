import { EVERYTHING } from '#extension/rows/job-filter.ts'
import type { Grouping } from '#extension/rows/job-groups.ts'
import { createJobsTree } from '#extension/rows/jobs-tree.ts'
import type { Tree } from '#extension/rows/row.ts'
import { createChanges } from '#extension/state/changes.ts'
import { systemClock } from '#extension/state/clock.ts'
import { createJobs } from '#extension/state/jobs.ts'
import type { JobState } from '#shared/model/index.ts'
import { plain, sourceOf, summary } from '#test/fakes/editor-jobs.ts'
import { defineBench } from './bench.ts'
import { spin } from './workload.ts'

const MANY = 10_000
const LOOKS = 50
const WARM = 10
/** A few that run, some that wait, and the rest over. */
const stateOf = (number: number): JobState =>
  number < 20 ? 'running' : number < 200 ? 'queued' : number % 5 === 0 ? 'failed' : 'succeeded'
/** Every other one is for one of a hundred specs. */
const specOf = (number: number) => ({
  spec: number % 2 === 0 ? null : { feature: `${String(number % 199).padStart(3, '0')}-feature`, task: 'T001' },
})

/** What the editor asks for when it shows the view: the root, and what is under the groups that are open at first. */
async function show(tree: Tree): Promise<number> {
  let rows = 0
  for (const root of await tree.children(null)) {
    tree.row(root.id)
    rows += 1
    if (root.children === 'expanded')
      for (const row of await tree.children(root.id)) {
        tree.row(row.id)
        rows += 1
      }
  }
  return rows
}

/** @param jobs how many there are, all of them read @returns ms of one look */
async function look(
  jobs: number,
  { extraMs = 0, grouping = 'state' }: { extraMs?: number; grouping?: Grouping } = {},
): Promise<number> {
  const mirror = createJobs(
    sourceOf(Array.from({ length: jobs }, (_, number) => summary(number, stateOf(number), specOf(number)))),
    createChanges(systemClock),
  )
  await mirror.reset()
  for (const group of ['succeeded', 'failed'] as const) while (mirror.hasMore(group)) await mirror.readMore(group)
  const tree = createJobsTree({
    jobs: mirror,
    filter: () => EVERYTHING,
    grouping: () => grouping,
    now: Date.now,
    t: plain,
    handling: () => undefined,
  })
  let begun = process.threadCpuUsage()
  for (let at = 0; at < LOOKS + WARM; at += 1) {
    if (at === WARM) begun = process.threadCpuUsage()
    if ((await show(tree)) < 100) throw new Error('Nothing was shown: this measures nothing')
    spin(extraMs * 1000)
  }
  const { user, system } = process.threadCpuUsage(begun)
  return (user + system) / 1000 / LOOKS
}

export default defineBench(
  {
    name: 'editor-tree',
    unit: 'ms',
    a: { what: `the rows that the Jobs view shows at first, of ${MANY.toLocaleString('en')} jobs`, run: () => look(MANY) },
    b: { what: 'the same of 200 jobs', run: () => look(200) },
    planted: { what: '20 ms more a look', run: () => look(MANY, { extraMs: 20 }) },
    compare: 'alone',
    bar: { atMost: 16 },
    note: 'Processor time of the thread. All jobs are in the mirror, which reads them a page at a time.',
  },
  {
    name: 'editor-tree-by-spec',
    unit: 'ms',
    a: {
      what: `the same of ${MANY.toLocaleString('en')} jobs grouped by a hundred specs`,
      run: () => look(MANY, { grouping: 'spec' }),
    },
    b: { what: 'the same of 200 jobs', run: () => look(200, { grouping: 'spec' }) },
    planted: { what: '40 ms more a look', run: () => look(MANY, { extraMs: 40, grouping: 'spec' }) },
    compare: 'alone',
    bar: { atMost: 16 },
    note: 'Processor time of the thread. A spec is opened by a click; what is under it is a page at most.',
  },
)
