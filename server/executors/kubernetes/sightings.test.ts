import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '#server/lib/clock.ts'
import type { ClusterApi } from './cluster-api.ts'
import { type Sighting, type Sightings, watchSandboxes } from './sightings.ts'

/** An API server in memory: it has nothing at first, and says what it is told to say. */
function silentApi() {
  const watches = new Map<string, (line: unknown) => void>()
  const api: ClusterApi = {
    said: 'a test',
    call: async (_method, _path, answer) => answer.parse({ metadata: { resourceVersion: '1' }, items: [] }),
    watch(path, _query, each, { signal }) {
      watches.set(path.slice(path.lastIndexOf('/') + 1), each)
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    },
  }
  const say = (kind: 'jobs' | 'pods' | 'events', type: string, object: object) => watches.get(kind)?.({ type, object })
  return { api, say, isWatched: () => watches.size === 3 }
}

let sightings: Sightings | null = null
afterEach(() => sightings?.close())
const open = (api: ClusterApi) => {
  const log = { warn() {}, info() {} }
  sightings = watchSandboxes({ api, nodeId: 'n', namespace: 'skein', clock: systemClock, random: Math.random, log })
  return sightings
}
const meta = (name: string, labels: object = {}) => ({ name, uid: `uid-${name}`, resourceVersion: '2', labels })
/** A pod as long as those of clusters are. */
const podOf = (job: string) => ({
  metadata: { ...meta(`${job}-x`, { 'job-name': job }), annotations: { filler: 'x'.repeat(4_000) } },
})
const eventOf = (job: string) => ({
  metadata: meta(`${job}-x.1`),
  involvedObject: { kind: 'Pod', name: `${job}-x` },
  type: 'Warning',
  reason: 'FailedMount',
  message: 'm'.repeat(500),
})
const heap = () => {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  return process.memoryUsage().heapUsed
}

test('who follows a sandbox sees its Job, its pod, what is said of them and that they are gone', async () => {
  const { api, say, isWatched } = silentApi()
  const seen: Sighting[] = []
  const stop = await open(api).follow('one', now => seen.push(now))
  await expect.poll(isWatched).toBe(true)
  say('jobs', 'ADDED', { metadata: meta('one') })
  say('jobs', 'ADDED', { metadata: meta('other') })
  say('pods', 'ADDED', podOf('one'))
  say('events', 'ADDED', eventOf('one'))
  say('pods', 'DELETED', podOf('one'))
  expect(seen).toHaveLength(4)
  expect(seen.at(-1)).toMatchObject({
    job: { metadata: { name: 'one' } },
    pod: { metadata: { name: 'one-x' } },
    events: [{ type: 'Warning', reason: 'FailedMount' }],
    isJobGone: false,
    isPodGone: true,
  })
  stop()
  say('jobs', 'DELETED', { metadata: meta('one') })
  expect(seen).toHaveLength(4)
})

test('what it keeps does not grow with the sandboxes that are gone', async () => {
  const { api, say, isWatched } = silentApi()
  const watch = open(api)
  const pass = async (from: number, to: number) => {
    for (let index = from; index < to; index++) {
      const name = `job-${index}`
      const stop = await watch.follow(name, () => {})
      if (index === 0) await expect.poll(isWatched).toBe(true)
      for (const type of ['ADDED', 'MODIFIED', 'DELETED']) {
        say('jobs', type, { metadata: meta(name) })
        say('pods', type, podOf(name))
        say('events', type, eventOf(name))
      }
      stop()
    }
    return heap()
  }
  const before = await pass(0, 500)
  const after = await pass(500, 5_500)
  // Each of the 5000 would leave 4 kB and more.
  expect(after - before).toBeLessThan(5 * 2 ** 20)
})
