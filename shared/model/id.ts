import * as z from 'zod'

/** 14 characters, time-ordered to the second; made by the node that accepts the job and never reused. */
export const JobId = z
  .string()
  .regex(/^[0-9a-z]{14}$/)
  .meta({ id: 'JobId', description: 'Time-ordered id of a job.' })
export type JobId = z.infer<typeof JobId>

export const Timestamp = z.iso.datetime().meta({ id: 'Timestamp', description: 'RFC 3339, UTC, milliseconds.' })
