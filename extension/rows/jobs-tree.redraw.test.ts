import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { EventBody, JobState } from '#shared/model/index.ts'
import { at, idOf, manualClock, plain, sourceOf, summary } from '#test/fakes/editor-jobs.ts'
import { createChanges, REDRAW_MS } from '../state/changes.ts'
import { GROUPS } from '../state/job-states.ts'
import { createJobs } from '../state/jobs.ts'
import { EVERYTHING, type JobFilter } from './job-filter.ts'
import type { Grouping } from './job-groups.ts'
import { createJobsTree } from './jobs-tree.ts'
import type { Row, Tree } from './row.ts'

/** What an editor has on its screen: rows that it asked for, and asks for again when it is told to. */
function editorOf(tree: Tree) {
  const below = new Map<string | null, readonly string[]>()
  const rows = new Map<string, Row | undefined>()
  const asked: string[] = []

  async function open(id: string | null): Promise<void> {
    const children = await tree.children(id)
    below.set(
      id,
      children.map(row => row.id),
    )
    for (const child of children) await draw(child.id)
  }
  async function draw(id: string): Promise<void> {
    const row = tree.row(id)
    asked.push(id)
    rows.set(id, row)
    if (row?.children) await open(id)
  }
  function shown(id: string | null = null): object[] {
    return (below.get(id) ?? []).map(child => ({ ...rows.get(child), below: shown(child) }))
  }
  return {
    shown,
    asked,
    async redraw(ids: readonly string[] | null) {
      if (ids === null) await open(null)
      // It knows nothing of rows that it does not show.
      else for (const id of ids) if (rows.has(id)) await draw(id)
    },
  }
}

const look = { now: () => Date.UTC(2026, 0, 2), t: plain, handling: () => undefined }
const TO: readonly JobState[] = ['queued', 'placing', 'running', 'succeeded', 'failed', 'cancelled']

async function screenOf(grouping: Grouping, filter: JobFilter, stored: number) {
  const clock = manualClock()
  const changes = createChanges(clock)
  const states = TO.map((_, index) => TO[index % TO.length] ?? 'queued')
  const all = Array.from({ length: stored }, (_, number) =>
    summary(number, states[number % states.length] ?? 'queued', {
      spec: number % 4 === 0 ? null : { feature: `00${number % 4}-x`, task: 'T001' },
    }),
  )
  const jobs = createJobs(sourceOf(all), changes)
  const deps = { ...look, jobs, filter: () => filter, grouping: () => grouping }
  const tree = createJobsTree(deps)
  const editor = editorOf(tree)
  let drawing = Promise.resolve()
  changes.listen(ids => {
    const rows = tree.redraw(ids)
    drawing = drawing.then(() => editor.redraw(rows))
  })
  await jobs.reset()
  clock.advance(REDRAW_MS)
  await drawing
  return {
    jobs,
    editor,
    async settle() {
      // What is read while it draws is told of too, page after page.
      for (let round = 0; round < 12; round += 1) {
        clock.advance(REDRAW_MS)
        await drawing
      }
    },
    async anew() {
      const fresh = editorOf(createJobsTree(deps))
      await fresh.redraw(null)
      return fresh.shown()
    },
  }
}

const event = (number: number, body: EventBody) => ({ seq: 1, n: 1, jobId: idOf(number), at: at(number + 1000), body })
const move = fc.record({ number: fc.nat(40), to: fc.constantFrom(...TO) })
const filters = fc.record({
  text: fc.constantFrom('', '', 'job 1', 'desktop'),
  repositories: fc.constantFrom(null, null, ['/src/app'], ['/src/other']),
  groups: fc.option(fc.uniqueArray(fc.constantFrom(...GROUPS), { minLength: 1 }), { nil: null }),
})

it('shows after any changes what a tree shows that is built anew', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<Grouping>('state', 'spec'),
      filters,
      fc.constantFrom(0, 3, 30, 1300),
      fc.array(
        fc.oneof(
          move.map(one => ({ what: 'move' as const, ...one })),
          fc.record({ what: fc.constant('place' as const), number: fc.nat(40) }),
          fc.record({ what: fc.constant('create' as const), number: fc.nat(5000), spec: fc.nat(5) }),
          fc.record({ what: fc.constant('more' as const), group: fc.constantFrom(...GROUPS) }),
          fc.constant({ what: 'settle' as const }),
        ),
        { maxLength: 30 },
      ),
      async (grouping, filter, stored, steps) => {
        const screen = await screenOf(grouping, filter, stored)
        for (const step of steps) {
          if (step.what === 'settle') await screen.settle()
          if (step.what === 'more') await screen.jobs.readMore(step.group)
          if (step.what === 'move')
            screen.jobs.take(event(step.number, { type: 'job.state', from: 'queued', to: step.to, epoch: 1, failure: null }))
          if (step.what === 'place') {
            const { number } = step
            screen.jobs.take(event(number, { type: 'attempt.placed', epoch: 1, name: 'desktop' } as EventBody))
          }
          if (step.what === 'create') {
            const spec = step.spec === 0 ? {} : { spec: { feature: `00${step.spec}-x`, task: 'T002' } }
            const body = { type: 'job.created', title: `job ${step.number}`, agent: 'builtin', priority: 0, ...spec }
            screen.jobs.take(event(step.number, body as EventBody))
          }
        }
        await screen.settle()
        expect(screen.editor.shown()).toEqual(await screen.anew())
      },
    ),
    { numRuns: 150 },
  )
})

it('draws one row for a job that changes, and its groups when it changes those', async () => {
  for (const grouping of ['state', 'spec'] as const) {
    const { jobs, editor, settle } = await screenOf(grouping, EVERYTHING, 30)
    await settle()
    editor.asked.length = 0
    jobs.take(
      event(2, { type: 'agent.tool', epoch: 1, status: 'in_progress', title: 'reads', callId: 'c' } as unknown as EventBody),
    )
    await settle()
    expect(editor.asked).toEqual([idOf(2)])
  }
  const { jobs, editor, settle } = await screenOf('spec', EVERYTHING, 30)
  await settle()
  editor.asked.length = 0
  // Its state is no reason to draw more than it: it stays with its spec.
  jobs.take(event(2, { type: 'job.state', from: 'running', to: 'failed', epoch: 1, failure: null }))
  await settle()
  expect(editor.asked).toEqual([idOf(2)])
})
