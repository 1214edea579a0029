import {
  applyEdits,
  createFeature,
  type Document,
  outline,
  parse,
  print,
  problemsOf,
  type TextEdit,
  update,
} from '#server/specs/index.ts'
import { defineBench } from './bench.ts'
import { LINES, longTasks, SPEC } from './long-tasks.ts'
import { estimateMedian } from './statistics.ts'
import { spin } from './workload.ts'

const KEYS = 40
const WARM = 10

/** Milliseconds from a key to everything there is to say about the feature. @param read what makes the document after the key */
async function diagnose(read: (before: Document, edit: TextEdit) => Document, extraMs = 0): Promise<number> {
  const specification = parse(SPEC)
  const spec = { path: 'spec.md', kind: 'spec' as const, document: specification, outline: outline(specification, 'spec') }
  let document = parse(longTasks())
  const times: number[] = []
  for (let key = 0; key < KEYS + WARM; key++) {
    const at = (document.starts[(key * 97) % LINES] ?? 0) + 3
    const begun = process.threadCpuUsage()
    document = read(document, { start: at, end: at, text: 'x' })
    const tasks = { path: 'tasks.md', kind: 'tasks' as const, document, outline: outline(document, 'tasks') }
    if (problemsOf(createFeature([spec, tasks]), null).length === 0) throw new Error('Nothing was found: this measures nothing')
    spin(extraMs * 1000)
    const { user, system } = process.threadCpuUsage(begun)
    if (key >= WARM) times.push((user + system) / 1000)
  }
  return estimateMedian(times).median
}

const changed = (before: Document, edit: TextEdit): Document => update(before, edit).document
const readAnew = (before: Document, edit: TextEdit): Document => parse(applyEdits(print(before), [edit]))

export default defineBench({
  name: 'spec-keystroke',
  unit: 'ms',
  a: { what: 'a key in a tasks.md of 10,000 lines, to all problems of its feature', run: () => diagnose(changed) },
  b: { what: 'the same with the document read anew', run: () => diagnose(readAnew) },
  planted: { what: '60 ms more a key', run: () => diagnose(changed, 60) },
  compare: 'alone',
  bar: { atMost: 50 },
  note: 'Processor time of the thread, so that what else the machine does is no part of it.',
})
