import type { Workload } from './executor.ts'

/** Most sandboxes of an attempt that another node is told of. */
export const MOST_PLACES = 20
/** Most characters of each text about one. */
export const PLACE_CHARS = { purpose: 40, reason: 500, image: 500, imageDigest: 200, machine: 300 }

/** What of a workload another node is told. */
export function placeOf({ jobId: _, epoch: __, ...workload }: Workload): Omit<Workload, 'jobId' | 'epoch'> {
  const cut = (key: keyof typeof PLACE_CHARS) => workload[key]?.slice(0, PLACE_CHARS[key]) ?? null
  return {
    ...workload,
    purpose: cut('purpose'),
    reason: cut('reason'),
    image: cut('image'),
    imageDigest: cut('imageDigest'),
    machine: cut('machine'),
  }
}
