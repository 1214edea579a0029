import type { Card, JobSpec, Snapshot } from '#shared/model/index.ts'

/** How many nodes are asked for a bid at most, this one among them. */
const MOST_ASKED = 8
/** Fleets up to this many nodes are looked at whole, so that the record can say of each why it was not asked. */
const LOOKED_AT_WHOLE = 64

export interface Chosen {
  readonly card: Card
  readonly why: 'self' | 'random' | 'warm'
}

export interface Sample {
  readonly chosen: readonly Chosen[]
  /** Nodes that were looked at and cannot do it. */
  readonly filtered: readonly { readonly card: Card; readonly why: string }[]
}

/**
 * Cards in random order, drawn one by one; what is not drawn costs nothing, however many there are.
 * Source: Fisher and Yates, in the form of Durstenfeld (1964), of which only the places that changed are kept.
 */
function* drawn(cards: readonly Card[], random: () => number): Generator<Card> {
  const moved = new Map<number, number>()
  for (let at = 0; at < cards.length; at++) {
    const other = at + Math.floor(random() * (cards.length - at))
    const card = cards[moved.get(other) ?? other]
    moved.set(other, moved.get(at) ?? at)
    if (card) yield card
  }
}

/**
 * Whom to ask: itself, then half by warmth and half at random. Cards are old, so the best of them is no better than any other
 * to whom everybody else goes too; what does last is a model in memory and a repository on disk. The random half finds the idle:
 * drawn without a look at the load on their cards, since even taking the idlest of thirty-two random cards made jobs wait twice as
 * long (docs/decisions/0085).
 * Source: the power of d choices (Mitzenmacher 2001).
 * @param judge why a node cannot do it, by its card; null when it may
 */
export function sample(input: {
  /** Of the node that asks. */
  own: Card
  /** Of all others. */
  cards: readonly Card[]
  job: { readonly spec: Pick<JobSpec, 'model'>; readonly snapshot: Pick<Snapshot, 'repositoryId'> | null }
  judge: (card: Card) => string | null
  random: () => number
  most?: number
}): Sample {
  const { own, cards, job, judge, random, most = MOST_ASKED } = input
  const filtered = new Map<Card, string>()
  const isAble = (card: Card): boolean => {
    const why = judge(card)
    if (why !== null) filtered.set(card, why)
    return why === null
  }
  const self: Chosen[] = isAble(own) ? [{ card: own, why: 'self' }] : []
  const room = Math.max(0, most - self.length)
  const mayBeWarm = job.spec.model !== undefined || job.snapshot !== null
  const warmest = (mayBeWarm ? cards : [])
    .flatMap(card => {
      const warmth = warm(card, job)
      return warmth > 0 && isAble(card) ? [{ card, warmth, lot: random() }] : []
    })
    .sort((a, b) => b.warmth - a.warmth || a.lot - b.lot)
    .slice(0, Math.floor(room / 2))
    .map(({ card }): Chosen => ({ card, why: 'warm' }))
  const taken = new Set(warmest.map(({ card }) => card))
  const rest: Chosen[] = []
  for (const card of drawn(cards, random)) {
    const isWanted = taken.size + rest.length < room
    if (!isWanted && cards.length > LOOKED_AT_WHOLE) break
    if (taken.has(card) || filtered.has(card) || !isAble(card) || !isWanted) continue
    rest.push({ card, why: 'random' })
  }
  return { chosen: [...self, ...warmest, ...rest], filtered: [...filtered].map(([card, why]) => ({ card, why })) }
}

function warm(card: Card, { spec, snapshot }: Parameters<typeof sample>[0]['job']): number {
  const hasModel = spec.model !== undefined && card.models.includes(spec.model)
  const hasRepository = snapshot !== null && card.repositories.includes(snapshot.repositoryId)
  return Number(hasModel) + Number(hasRepository)
}
