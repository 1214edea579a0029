import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { defineBench, type SideContext } from './bench.ts'
import { openPlainJob } from './peer.ts'
import { estimateMedian } from './statistics.ts'
import { benchJob, openStore, spin } from './workload.ts'

const SAMPLES = 300

/** Lets the worker fall idle, and ends at no particular time: a timer would end in step with the timer of a poll. */
async function settle(): Promise<void> {
  await pause(2)
  const end = performance.now() + Math.random() * 2
  while (performance.now() < end) await turn()
}

/** Microseconds from a job being stored until an idle worker has it: p50. */
async function product({ directory, defer }: SideContext, slowdown = () => {}): Promise<number> {
  const store = await openStore(directory)
  defer(() => store.close())
  const samples: number[] = []
  let picked = () => {}
  store.onQueued(() => {
    const stored = performance.now()
    slowdown()
    void store.claim(1, Date.now()).then(() => {
      samples.push((performance.now() - stored) * 1000)
      picked()
    })
  })
  for (let index = 0; index < SAMPLES; index++) {
    await settle()
    await Promise.all([
      new Promise<void>(resolve => {
        picked = resolve
      }),
      store.admit(benchJob(index)),
    ])
  }
  return estimateMedian(samples).median
}

async function plainjob({ directory, defer }: SideContext): Promise<number> {
  const queue = await openPlainJob(directory)
  defer(() => queue.close())
  const samples: number[] = []
  let stored = 0
  let picked = () => {}
  const worker = queue.worker(1, {
    onProcessing() {
      samples.push((performance.now() - stored) * 1000)
      picked()
    },
  })
  const stopped = worker.start()
  for (let index = 0; index < SAMPLES; index++) {
    await settle()
    const done = new Promise<void>(resolve => {
      picked = resolve
    })
    queue.add(benchJob(index).job.spec)
    stored = performance.now()
    await done
  }
  await worker.stop()
  await stopped
  return estimateMedian(samples).median
}

export default defineBench({
  name: 'pickup',
  unit: 'µs',
  a: {
    what: 'a stored job reaches an idle worker (p50); durable claim, no statement while idle',
    run: context => product(context),
  },
  b: { what: 'npm plainjob polling every millisecond (p50); claim without fsync', run: plainjob },
  planted: { what: '3 ms before the claim', run: context => product(context, () => spin(3000)) },
  bar: { atMost: 2 },
  note: 'That an idle store runs no statement and no timer is asserted in server/store/sqlite/store.test.ts.',
})
