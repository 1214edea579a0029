import * as z from 'zod'

/** Name of a feature: its folder under specs/. */
export const FeatureName = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[^./\\\0][^/\\\0]*$/)
  .meta({ id: 'FeatureName', description: 'Name of the folder of a feature under `specs/`, such as `001-login`.' })

export const SpecTaskId = z
  .string()
  .regex(/^T\d{1,6}[a-z]?$/)
  .meta({ id: 'SpecTaskId', description: 'Such as `T012`.' })

/** A work tree, as those name it who read its specs. */
export const WorkTreePath = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]*$/)
  .meta({ id: 'WorkTreePath', description: 'Absolute path of a work tree on this node’s machine.' })

/** A task of a spec, as a job names it. */
export const SpecTaskRef = z.strictObject({ feature: FeatureName, task: SpecTaskId }).meta({ id: 'SpecTaskRef' })
export type SpecTaskRef = z.infer<typeof SpecTaskRef>
