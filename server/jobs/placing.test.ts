import { expect, it, vi } from 'vitest'
import { createReservations } from '#server/placement/index.ts'
import type { JobRow } from '#server/store/index.ts'
import type { PlacementAnswer, PlacementRecord } from '#shared/model/index.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { alone } from '#test/fakes/fleet.ts'
import { createPlacing } from './placing.ts'
import { Stop } from './stop.ts'

const turn = () => new Promise(setImmediate)
const DAY_MS = 86_400_000

/** A node with one slot that is taken, and a job that is to run on another; each round is answered as told. */
function setUp(answers: readonly PlacementAnswer[] = []) {
  const clock = virtualClock()
  const reservations = createReservations({ slots: 1, waitingPlaces: 0, clock })
  reservations.reserve('taken', DAY_MS, { agent: 'command', model: null, repository: null } as never)
  const rounds: PromiseWithResolvers<void>[] = []
  const asked = answers.map(answer => ({ node: 'b', name: 'b', why: 'random', answer, ms: 0 }))
  const negotiation = {
    async negotiate() {
      const round = Promise.withResolvers<void>()
      rounds.push(round)
      await round.promise
      return { winner: null, record: { round: rounds.length, asked } as unknown as PlacementRecord }
    },
  }
  const store = { change: async () => true }
  const placing = createPlacing(
    { clock, settings: { bidMs: 1000 }, newToken: () => 'token', random: () => 0.5, store },
    { fleet: alone, reservations, negotiation, isDraining: () => false },
  )
  const spec = { where: { on: ['b'], notOn: [], labels: {}, gpu: false, local: false } }
  const job = { id: 'job', spec, snapshot: null, queueDeadline: clock.now() + DAY_MS }
  const nobodyCan = vi.fn()
  const over = new AbortController()
  const watch = { asOfNow: async (now: JobRow) => now, nobodyCan }
  const placed = placing.place(job as never, over.signal, watch)
  placed.catch(() => {})
  return { placed, over, rounds, reservations, nobodyCan }
}

it('asks again at once when room appeared while others were asked', async () => {
  const { rounds, reservations } = setUp()
  await turn()
  reservations.release('taken')
  rounds[0]?.resolve()
  await turn()
  expect(rounds).toHaveLength(2)
})

it('gives up at once when it was stopped while others were asked', async () => {
  const { placed, over, rounds } = setUp()
  await turn()
  over.abort(new Stop('cancel'))
  rounds[0]?.resolve()
  await expect(placed).rejects.toMatchObject({ kind: 'cancel' })
})

const no = { kind: 'no', reason: 'No.' } as const
it.each<[what: string, answers: PlacementAnswer[], isStranded: boolean]>([
  ['nobody is known who could take it', [], true],
  ['nobody will', [{ ...no, isTransient: false, againMs: null }], true],
  ['it is outside the hours of the only one', [{ ...no, isTransient: true, againMs: null }], true],
  ['the only one does not answer', [{ kind: 'silent', problem: 'Nothing came.' }], true],
  ['one has no place free', [{ ...no, isTransient: true, againMs: 5_000 }], false],
])('says whether it waits for room or for a node: %s', async (_, answers, isStranded) => {
  const { rounds, nobodyCan } = setUp(answers)
  await turn()
  rounds[0]?.resolve()
  await turn()
  expect(nobodyCan).toHaveBeenCalledTimes(isStranded ? 1 : 0)
})
