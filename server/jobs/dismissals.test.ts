import { describe, expect, it } from 'vitest'
import type { PeerLink } from '#server/peers/index.ts'
import type { Dismissal } from '#server/store/index.ts'
import { createLog } from '#server/telemetry/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import type { Card } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { alone } from '#test/fakes/fleet.ts'
import { createDismissals } from './dismissals.ts'

const WORKER = 'b'.repeat(26)
const OTHER = 'c'.repeat(26)
const dismissal = (worker: string, epoch: number): Dismissal => ({ worker, jobId: '0000000000000a', epoch, since: epoch })
const tick = () => new Promise(resolve => setImmediate(resolve))

function setUp(rows: Dismissal[]) {
  const clock = virtualClock()
  const told: string[] = []
  const down = new Set<string>()
  const gone = new Set<string>()
  const forgotten = new Set<string>()
  let changed = () => {}
  const link = (node: string) =>
    gone.has(node)
      ? null
      : ({
          async settle({ epoch }: { epoch: number }) {
            told.push(`${node[0]}${epoch}`)
            if (down.has(node)) throw new ApiError('peer_unreachable', 'down')
            if (forgotten.has(node)) throw new ApiError('not_yours', 'it is gone')
          },
        } as unknown as PeerLink)
  const dismissals = createDismissals({
    clock,
    log: createLog('silent'),
    fleet: {
      ...alone,
      link,
      cards: () => [WORKER, OTHER].filter(node => !down.has(node)).map(node => ({ node }) as Card),
      onChange(listener) {
        changed = listener
        return () => {}
      },
    },
    store: {
      dismissals: async () => [...rows],
      async forgetDismissal(done: Dismissal) {
        rows.splice(rows.indexOf(done), 1)
      },
    } as unknown as Parameters<typeof createDismissals>[0]['store'],
  })
  return { clock, told, down, gone, forgotten, rows, dismissals, changed: () => changed() }
}

describe('dismissals', () => {
  it('are told at the start, what an earlier server left included, and then forgotten', async () => {
    const { dismissals, told, rows, clock } = setUp([dismissal(WORKER, 1), dismissal(OTHER, 2)])
    dismissals.start()
    await tick()
    expect(told.sort()).toEqual(['b1', 'c2'])
    expect(rows).toEqual([])
    expect(clock.waiting()).toBe(0)
  })

  it('wait for a node that cannot be reached, and are told as soon as it is heard of', async () => {
    const { dismissals, told, rows, down, changed } = setUp([dismissal(WORKER, 1), dismissal(WORKER, 2), dismissal(OTHER, 3)])
    down.add(WORKER)
    dismissals.start()
    await tick()
    expect(rows).toEqual([dismissal(WORKER, 1), dismissal(WORKER, 2)])
    changed()
    await tick()
    expect(told.filter(name => name.startsWith('b'))).toEqual(['b1'])
    down.delete(WORKER)
    changed()
    await tick()
    expect(rows).toEqual([])
  })

  it('are tried again after a time where nothing tells that a node is back', async () => {
    const { dismissals, rows, down, clock } = setUp([dismissal(WORKER, 1)])
    down.add(WORKER)
    dismissals.start()
    await tick()
    down.delete(WORKER)
    clock.advance(30_000)
    await tick()
    expect(rows).toEqual([])
  })

  it('are over for a node that knows nothing of the attempt, and for one that is not trusted any more', async () => {
    const { dismissals, rows, gone, forgotten } = setUp([dismissal(WORKER, 1), dismissal(OTHER, 2)])
    gone.add(WORKER)
    forgotten.add(OTHER)
    dismissals.start()
    await tick()
    expect(rows).toEqual([])
  })

  it('stop with the server and leave no timer', async () => {
    const { dismissals, rows, down, clock } = setUp([dismissal(WORKER, 1)])
    down.add(WORKER)
    dismissals.start()
    await tick()
    await dismissals.stop()
    clock.advance(60_000)
    await tick()
    expect(rows).toHaveLength(1)
    expect(clock.waiting()).toBe(0)
  })
})
