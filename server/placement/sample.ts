import type { Card, JobSpec, NodeId, Snapshot } from '#shared/model/index.ts'

/** How many nodes are asked for a bid at most, this one among them. */
const MOST_ASKED = 8

export interface Chosen {
  readonly card: Card
  readonly why: 'self' | 'random' | 'warm'
}

/**
 * Whom to ask: itself, then half by warmth and half at random. Cards are old, so the best of them is no better than any other
 * to whom everybody else goes too; what does last is a model in memory and a repository on disk. The random half finds the idle.
 * Source: the power of d choices (Mitzenmacher 2001).
 */
export function sample(input: {
  self: NodeId
  cards: readonly Card[]
  job: { readonly spec: Pick<JobSpec, 'model'>; readonly snapshot: Pick<Snapshot, 'repositoryId'> | null }
  random: () => number
  most?: number
}): Chosen[] {
  const { self, cards, job, random, most = MOST_ASKED } = input
  const own = cards.filter(({ node }) => node === self).map((card): Chosen => ({ card, why: 'self' }))
  const others = shuffled(
    cards.filter(({ node }) => node !== self),
    random,
  )
  const room = Math.max(0, most - own.length)
  const warmth = new Map(others.map(card => [card, warm(card, job)]))
  const warmest = others.filter(card => (warmth.get(card) ?? 0) > 0).sort((a, b) => (warmth.get(b) ?? 0) - (warmth.get(a) ?? 0))
  const chosen = warmest.slice(0, Math.floor(room / 2))
  const rest = others.filter(card => !chosen.includes(card)).slice(0, room - chosen.length)
  return [
    ...own,
    ...chosen.map((card): Chosen => ({ card, why: 'warm' })),
    ...rest.map((card): Chosen => ({ card, why: 'random' })),
  ]
}

function warm(card: Card, { spec, snapshot }: Parameters<typeof sample>[0]['job']): number {
  const hasModel = spec.model !== undefined && card.models.includes(spec.model)
  const hasRepository = snapshot !== null && card.repositories.includes(snapshot.repositoryId)
  return Number(hasModel) + Number(hasRepository)
}

/** Fisher and Yates. */
function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const copy = [...list]
  for (let last = copy.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const [a, b] = [copy[last], copy[other]]
    if (a === undefined || b === undefined) continue
    copy[last] = b
    copy[other] = a
  }
  return copy
}
