import * as z from 'zod'
import { PLACE_CHARS } from './cut-place.ts'
import { Workload } from './executor.ts'

const words = (most: number) => z.string().max(most).nullable()

/** A sandbox of an attempt as its node tells the job's home: no longer than a page shows. */
export const AttemptPlace = z.strictObject({
  ...Workload.omit({ jobId: true, epoch: true }).shape,
  purpose: words(PLACE_CHARS.purpose),
  reason: words(PLACE_CHARS.reason),
  image: words(PLACE_CHARS.image),
  imageDigest: words(PLACE_CHARS.imageDigest),
  machine: words(PLACE_CHARS.machine),
})
export type AttemptPlace = z.infer<typeof AttemptPlace>
