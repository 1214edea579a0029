import type { KeyObject } from 'node:crypto'
import * as z from 'zod'
import type { Clock } from '#server/lib/clock.ts'
import { CARD_CHARS, Card, knownPart, NodeId, type SignedCard } from '#shared/model/index.ts'
import type { OpenCard } from './gossip-state.ts'
import { type Identity, keyFrom } from './identity.ts'

/** Loaded with the first card: a node without peers starts without it. */
const loadJose = () => import('jose')

/** Another than that of a request, so that neither passes for the other. */
const TYPE = 'skein-card+jwt'
/** How long a card may be believed, and by how much two clocks may differ, s. */
const LIFE_S = 600
const SKEW_S = 30
/** Keys held as the library takes them. */
const MOST_KEYS = 4096

const Claims = z.object({ iss: NodeId, iat: z.number(), exp: z.number(), card: z.unknown() })
/** What is looked at before the signature is. */
const Heading = z.object({ iss: NodeId, card: z.object({ seq: z.int().min(1) }) })

/** Signs our card, and opens those of others. */
export interface CardSeal {
  sign(card: Card): Promise<SignedCard>
  /** What a card says of itself, unproved; null when it is none. */
  peek(jws: SignedCard): Promise<{ node: NodeId; seq: number } | null>
  /** @throws {Error} that says why it is not believed */
  open(jws: SignedCard, publicKey: string): Promise<OpenCard>
}

export function createCardSeal({ identity, clock }: { identity: Identity; clock: Pick<Clock, 'now'> }): CardSeal {
  const keys = new Map<string, KeyObject>()
  const keyOf = (publicKey: string): KeyObject => {
    const key = keys.get(publicKey) ?? keyFrom(publicKey)
    // Nodes change their keys, and come and go.
    if (keys.size >= MOST_KEYS) keys.clear()
    keys.set(publicKey, key)
    return key
  }

  async function signed(card: Card): Promise<string> {
    const { SignJWT } = await loadJose()
    const now = Math.floor(clock.now() / 1000)
    return new SignJWT({ card })
      .setProtectedHeader({ alg: 'EdDSA', typ: TYPE })
      .setIssuer(identity.nodeId)
      .setIssuedAt(now)
      .setExpirationTime(now + LIFE_S)
      .sign(identity.privateKey)
  }

  return {
    async sign(card) {
      const jws = await signed(card)
      if (jws.length <= CARD_CHARS) return jws
      // Those lists only help to choose whom to ask; what is left out is found when it is asked.
      const half = (list: readonly string[]) => list.slice(0, Math.floor(list.length / 2))
      if (card.repositories.length + card.models.length === 0) throw new Error(`Our card has ${jws.length} characters`)
      return this.sign({ ...card, repositories: half(card.repositories), models: half(card.models) })
    },
    async peek(jws) {
      const { decodeJwt } = await loadJose()
      try {
        const { iss, card } = Heading.parse(decodeJwt(jws))
        return { node: iss, seq: card.seq }
      } catch {
        return null
      }
    },
    async open(jws, publicKey) {
      const { jwtVerify } = await loadJose()
      const { payload } = await jwtVerify(jws, keyOf(publicKey), {
        algorithms: ['EdDSA'],
        typ: TYPE,
        clockTolerance: SKEW_S,
        currentDate: new Date(clock.now()),
      })
      const { iss, iat, exp, ...told } = Claims.parse(payload)
      // Who passes a card on cannot leave out what this node does not know yet; its node signed all of it.
      const card = Card.parse(knownPart(Card, told.card))
      if (card.node !== iss) throw new Error(`node ${iss} signed a card of ${card.node}`)
      const now = clock.now() / 1000
      if (exp - iat > LIFE_S || iat - now > SKEW_S) throw new Error('it is from the future, or lives too long')
      return { card, jws, goodForMs: Math.max(0, (exp + SKEW_S - now) * 1000) }
    },
  }
}
