import * as z from 'zod'

/** The longest an attempt goes on without its home, ms; a worker keeps what came of it as long. */
export const LONGEST_AWAY_MS = 7 * 24 * 3_600_000

/**
 * What becomes of an attempt on another node that is not heard of any more.
 *
 * - `replace`: it is over when its lease is, and the job is placed again.
 * - `wait`: the same, but its lease is at least this long.
 * - `keep-both`: when its lease is over the job is placed again and the first may still finish; the first complete result wins.
 */
export const Disconnect = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('replace') }),
    z.strictObject({ kind: z.literal('wait'), ms: z.int().min(1).max(LONGEST_AWAY_MS) }),
    z.strictObject({ kind: z.literal('keep-both') }),
  ])
  .meta({ id: 'Disconnect' })
export type Disconnect = z.infer<typeof Disconnect>
