import { createFeature, outline, parse, print, problemsOf, update } from '#server/specs/index.ts'
import { defineBench } from './bench.ts'
import { LINES, longTasks, SPEC } from './long-tasks.ts'
import { estimateMedian } from './statistics.ts'
import { spin } from './workload.ts'

const KEYS = 100
const WARM = 20

/** Milliseconds from a key to everything there is to say about the feature. */
async function diagnose(extraMs = 0): Promise<number> {
  const specification = parse(SPEC)
  const spec = { path: 'spec.md', kind: 'spec' as const, document: specification, outline: outline(specification, 'spec') }
  let document = parse(longTasks())
  const times: number[] = []
  for (let key = 0; key < KEYS + WARM; key++) {
    const at = (document.starts[(key * 97) % LINES] ?? 0) + 3
    const begun = performance.now()
    document = update(document, { start: at, end: at, text: 'x' }).document
    const tasks = { path: 'tasks.md', kind: 'tasks' as const, document, outline: outline(document, 'tasks') }
    if (problemsOf(createFeature([spec, tasks]), null).length === 0) throw new Error('Nothing was found: this measures nothing')
    spin(extraMs * 1000)
    if (key >= WARM) times.push(performance.now() - begun)
  }
  return estimateMedian(times).median
}

/** The same keys put into a string of the same length, and nothing known about it. */
async function spliced(): Promise<number> {
  let text = print(parse(longTasks()))
  const times: number[] = []
  for (let key = 0; key < KEYS; key++) {
    const at = key * 1000
    const begun = performance.now()
    text = `${text.slice(0, at)}x${text.slice(at)}`
    if (text.lastIndexOf('\n', at) > at) throw new Error('unreachable')
    times.push(performance.now() - begun)
  }
  return Math.max(estimateMedian(times).median, 0.001)
}

export default defineBench({
  name: 'spec-keystroke',
  unit: 'ms',
  a: { what: 'a key in a tasks.md of 10,000 lines, to all problems of its feature', run: () => diagnose() },
  b: { what: 'the same key put into a string', run: spliced },
  planted: { what: 'with 60 ms more a key', run: () => diagnose(60) },
  compare: 'difference',
  bar: { atMost: 50 },
})
