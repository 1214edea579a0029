import { broadcast, leastLoadedByCards, omniscient, random } from './comparators.ts'
import type { Measured } from './compare.ts'
import { negotiated } from './negotiated.ts'
import type { MakeRule } from './rule.ts'

/** The product's rule and those it is held against. */
export const RULES = { negotiated, omniscient, broadcast, cards: leastLoadedByCards, random } as const satisfies Record<
  string,
  MakeRule
>
export type RuleName = keyof typeof RULES

export const RULE_NAMES = Object.keys(RULES) as readonly RuleName[]

/** Requests that the rule may need: 2d + 3 for d = 8. */
export const MOST_MESSAGES = 19
/** Mean service times that it may wait longer than one who knows everything. */
export const MOST_EXTRA_WAIT = 0.1
/** How many times shorter it waits than by cards that are one service time old. */
export const LEAST_GAIN = 5

/** Which of the three bars the product's rule misses. */
export function missed({ negotiated, omniscient, cards }: Readonly<Record<RuleName, Measured>>): string[] {
  return [
    ...(negotiated.mostMessages > MOST_MESSAGES ? [`${negotiated.mostMessages} messages`] : []),
    ...(negotiated.meanWait > omniscient.meanWait + MOST_EXTRA_WAIT ? ['waits too long'] : []),
    ...(negotiated.meanWait * LEAST_GAIN > cards.meanWait ? ['hardly better than cards'] : []),
  ]
}
