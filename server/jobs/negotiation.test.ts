import { describe, expect, it } from 'vitest'
import type { Fleet, PeerLink } from '#server/peers/index.ts'
import { createHistory, createPromises, createReservations } from '#server/placement/index.ts'
import { ApiError } from '#shared/contract/index.ts'
import { type Bid, type Card, type JobRequest, JobSpec, PlacementWeights, type Terms } from '#shared/model/index.ts'
import { newJob } from '#test/contract/job.ts'
import { makeCard } from '#test/fakes/card.ts'
import { virtualClock } from '#test/fakes/clock.ts'
import { alone } from '#test/fakes/fleet.ts'
import { repositoryOf } from './hosted-attempt.ts'
import { createNegotiation } from './negotiation.ts'

const node = (letter: string) => letter.repeat(26)
const never = new AbortController().signal

const terms = (change: Partial<Terms> = {}): Terms => ({
  startMs: 0,
  start90Ms: 0,
  waitsBehind: 0,
  runMs: { p50: 60_000, p90: 60_000 },
  finishMs: null,
  modelLoaded: true,
  modelLocal: true,
  repositoryCached: true,
  dependencyCached: true,
  imageCached: true,
  haves: [],
  executor: 'process',
  isolation: 'process',
  load: 0,
  loadPerCore: null,
  power: 'unknown',
  price: null,
  ...change,
})
const bid = (id: string, change: Partial<Terms> = {}): Bid => ({ kind: 'bid', bidId: id, ttlMs: 3_000, terms: terms(change) })
const no = (isTransient: boolean): Bid => ({ kind: 'no', isTransient, reason: 'because', againMs: null })

/** A home whose peers answer as they are told. */
function home(
  answers: Readonly<Record<string, Bid | Error>>,
  own: Bid = no(true),
  cards: Readonly<Record<string, Partial<Card>>> = {},
) {
  const asked: string[] = []
  const released: string[] = []
  const able = (id: string): Card =>
    makeCard(id, {
      ...{ name: id.slice(0, 1), agents: ['command'], executors: [{ kind: 'process', isolation: 'process' }] },
      ...cards[id],
    })
  const link = (id: string): Pick<PeerLink, 'announce' | 'releaseBid'> => ({
    async announce() {
      asked.push(id)
      const answer = answers[id]
      if (!answer || answer instanceof Error) throw answer ?? new Error('nobody')
      return answer
    },
    releaseBid: async bidId => void released.push(bidId),
  })
  const fleet: Fleet = {
    ...alone,
    cards: () => Object.keys(answers).map(able),
    link: id => link(id) as PeerLink,
    trust: () => 'paired',
  }
  const clock = virtualClock()
  const reservations = createReservations({ slots: 1, waitingPlaces: 0, clock })
  const experience = {
    history: async () => createHistory(),
    promises: async () => createPromises(),
    learn: <T>(lesson: T) => lesson,
  }
  const negotiation = createNegotiation(
    {
      clock,
      random: () => 0,
      models: { has: async () => false },
      settings: { placement: PlacementWeights.parse({}), models: 'worker-only' },
    },
    { fleet, ownCard: { get: async () => able(fleet.self.id) }, reservations, bidding: { bid: async () => own }, experience },
  )
  const job = (request: Partial<JobRequest> = {}) => ({
    ...newJob('a').job,
    epoch: 1,
    snapshot: null,
    spec: JobSpec.parse({ agent: 'command', argv: ['true'], ...request }),
  })
  return { negotiation, job, asked, released, self: fleet.self.id }
}

describe('a negotiation', () => {
  it('awards the best bid, releases the others at once, and keeps every answer', async () => {
    const answers = {
      [node('b')]: bid('slow', { startMs: 5_000 }),
      [node('c')]: bid('best'),
      [node('d')]: no(true),
      [node('e')]: new ApiError('peer_unreachable', 'it is gone'),
    }
    const { negotiation, job, released, self } = home(answers, bid('own', { load: 0.5 }))
    const { winner, record } = await negotiation.negotiate(job(), never)
    expect(winner).toMatchObject({ node: node('c'), bidId: 'best', ttlMs: 3_000, promised: { startMs: 0, runMs: 60_000 } })
    expect(released).toEqual(['slow'])
    // Four announcements, an award, a release.
    expect(record).toMatchObject({ round: 1, messages: 6, known: 5, awarded: node('c'), outcome: null })
    const kinds = Object.fromEntries(record.asked.map(({ node, answer }) => [node, answer.kind]))
    expect(kinds).toEqual({ [self]: 'bid', [node('b')]: 'bid', [node('c')]: 'bid', [node('d')]: 'no', [node('e')]: 'silent' })
    expect(record.asked.find(({ node: id }) => id === node('e'))).toMatchObject({ answer: { problem: 'it is gone' } })
  })

  it('asks a node that has the repository because of that, under the name that node has for it', async () => {
    const repositoryId = 'mine-0123'
    const repositories = [repositoryOf(alone.self.id, repositoryId)]
    const { negotiation, job } = home({ [node('b')]: no(true), [node('c')]: no(true) }, no(true), {
      [node('c')]: { repositories },
    })
    const snapshot = { commit: 'a'.repeat(40), base: null, dirty: false, repositoryId, branch: null }
    const { record } = await negotiation.negotiate({ ...job(), snapshot }, never)
    const why = Object.fromEntries(record.asked.map(asked => [asked.node, asked.why]))
    expect([why[node('b')], why[node('c')]]).toEqual(['random', 'warm'])
  })

  it('reckons with a bid whose numbers are past all measure', async () => {
    const endless = { p50: Number.MAX_VALUE, p90: Number.MAX_VALUE }
    const { negotiation, job } = home({ [node('b')]: bid('b', { startMs: Number.MAX_VALUE, runMs: endless, finishMs: endless }) })
    const { winner, record } = await negotiation.negotiate(job(), never)
    expect(winner?.bidId).toBe('b')
    expect(Object.values(winner?.promised ?? {}).every(Number.isSafeInteger)).toBe(true)
    expect(JSON.stringify(record.asked)).not.toContain('"score":null')
  })

  it('awards nobody where nobody bids', async () => {
    const { negotiation, job } = home({ [node('b')]: no(false), [node('c')]: new Error('gone') })
    const { winner, record } = await negotiation.negotiate(job(), never)
    expect([winner, record.awarded, record.messages]).toEqual([null, null, 2])
  })

  it('takes a node that never ran such a job to need as long as the others say', async () => {
    const answers = {
      [node('b')]: bid('b', { runMs: { p50: 600_000, p90: 600_000 } }),
      [node('c')]: bid('c', { runMs: { p50: 700_000, p90: 700_000 } }),
      [node('d')]: bid('new', { runMs: null }),
    }
    const { negotiation, job } = home(answers)
    const { winner, record } = await negotiation.negotiate(job(), never)
    expect(winner?.bidId).toBe('b')
    const parts = record.asked.flatMap(({ answer }) => (answer.kind === 'bid' ? [answer.parts.run] : []))
    expect(parts.sort()).toEqual([600_000, 700_000, 700_000])
  })

  it('leaves alone who said no for good, and says so', async () => {
    const { negotiation, job, asked } = home({ [node('b')]: bid('b'), [node('c')]: bid('c') })
    const refused = (id: string) => (id === node('b') ? 'It said no for good: because' : null)
    const { record } = await negotiation.negotiate(job(), never, { rounds: 3, refused })
    expect(asked).toEqual([node('c')])
    expect(record).toMatchObject({ round: 4, filtered: [{ node: node('b'), why: 'It said no for good: because' }] })
  })

  it('asks nobody else for a job that is to stay', async () => {
    for (const request of [{ where: { local: true } }, { sandbox: 'none' as const }]) {
      const { negotiation, job, asked, self } = home({ [node('b')]: bid('b') }, bid('own'))
      const { winner, record } = await negotiation.negotiate(job(request), never)
      expect([winner?.node, asked, record.messages]).toEqual([self, [], 0])
    }
  })
})
