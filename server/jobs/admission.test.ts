import { expect, it } from 'vitest'
import { type Card, JobSpec } from '#shared/model/index.ts'
import { makeCard } from '#test/fakes/card.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { alone } from '#test/fakes/fleet.ts'
import { createAdmission } from './admission.ts'

const turn = () => new Promise(setImmediate)

/** A node without agents of its own that was just paired with one called rack. */
function setUp() {
  const clock = virtualClock()
  const listeners = new Set<() => void>()
  const cards: Card[] = []
  let unheard = ['rack']
  const fleet = {
    ...alone,
    cards: () => cards,
    unheard: () => unheard,
    onChange(listener: () => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const missing = {
    id: 'codex',
    kind: 'acp',
    probe: async () => ({ usable: false, detail: 'codex is not on PATH.', remedy: null }),
  }
  const executor = { kind: 'process', probe: async () => ({ available: true, isolation: 'sandbox', detail: '', remedy: null }) }
  const deps = {
    ...{ clock, fleet, agents: [missing], executors: [executor], secrets: { find: () => null } },
    ...{ settings: { allowNoSandbox: false, timeouts: { queueMs: 1 } }, newJobId: () => 'job' },
    store: { repeated: async () => null, admit: async ({ job }: { job: object }) => ({ ...job, outcome: 'accepted' }) },
  }
  const admission = createAdmission(deps as never, { require: async () => {} } as never)
  const create = (where = {}) => admission.create(JobSpec.parse({ agent: 'codex', task: 'x', where }), null)
  return {
    ...{ clock, create, listeners },
    hear(...agents: string[]) {
      unheard = []
      cards.push(makeCard('b', { agents }))
      for (const listener of [...listeners]) listener()
    },
  }
}

it('waits for the first word of a node that was just paired, before it says that nobody has the agent', async () => {
  const { create, hear, listeners, clock } = setUp()
  const created = create()
  await turn()
  hear('codex')
  await expect(created).resolves.toMatchObject({ isNew: true })
  expect([listeners.size, clock.waiting()]).toEqual([0, 0])
})

it('refuses when that node has it neither, or says nothing for long, and at once where no other node may be asked', async () => {
  const told = setUp()
  const refused = told.create()
  refused.catch(() => {})
  await turn()
  told.hear('claude')
  await expect(refused).rejects.toThrow('Agent codex is not usable: codex is not on PATH.')
  const silent = setUp()
  const late = silent.create()
  late.catch(() => {})
  await turn()
  silent.clock.advance(10_000)
  await expect(late).rejects.toThrow('codex is not on PATH. rack did not say yet what it can do.')
  await expect(setUp().create({ local: true })).rejects.toThrow('codex is not on PATH.')
})
