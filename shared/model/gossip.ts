import * as z from 'zod'
import { NodeId } from './node-id.ts'

/** Longest signed card, in characters. */
export const CARD_CHARS = 32 * 1024
/** Most cards in one message of gossip, and most characters of them together. */
export const GOSSIP_CARDS = 64
export const GOSSIP_CHARS = 256 * 1024
/** Most entries of a digest. */
export const GOSSIP_DIGEST = 256

/** A card as its node signed it: a compact JWS of type `skein-card+jwt`. */
export const SignedCard = z
  .string()
  .max(CARD_CHARS)
  .regex(/^[\w-]+\.[\w-]+\.[\w-]+$/)
  .meta({ id: 'SignedCard' })
export type SignedCard = z.infer<typeof SignedCard>

const cards = z.array(SignedCard).max(GOSSIP_CARDS)

/** What a node has heard of others: the newest card it has of each, by number. */
export const GossipMessage = z
  .strictObject({
    digest: z
      .array(z.strictObject({ node: NodeId, seq: z.int().min(0).describe('0: none.') }))
      .max(GOSSIP_DIGEST)
      .describe('Some of the nodes it knows; only of these it takes cards.'),
    cards: cards.describe('Cards the other may not have.'),
  })
  .meta({ id: 'GossipMessage' })
export type GossipMessage = z.infer<typeof GossipMessage>

/** Cards that are newer than the digest of the message, and the nodes of which the message has newer ones. */
export const GossipAnswer = z.strictObject({ cards, wants: z.array(NodeId).max(GOSSIP_CARDS) }).meta({ id: 'GossipAnswer' })
export type GossipAnswer = z.infer<typeof GossipAnswer>
