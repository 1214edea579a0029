import { type ExecutorCapacity, type ImageReference, withTag } from '#shared/model/index.ts'

/** Where a name without a host is looked for, and in what: as all engines write it out. */
const HUB = 'docker.io'
const OFFICIAL = 'library'

/**
 * Why an executor has no room for a job now; null when it has.
 * @param promised attempts that it was promised to since it said so, which it cannot know of
 */
export function lackOfRoom(
  { gpus = 0 }: { readonly gpus?: number | undefined },
  { full, places, gpuCount }: ExecutorCapacity,
  promised: number,
): string | null {
  if (full !== null) return full
  if (promised >= places) return `The ${places} sandboxes that fit are promised already.`
  if (gpus > gpuCount) return `The job asks for ${gpus} GPUs, and ${gpuCount} are free.`
  return null
}

/** Whether an image is among those that are there: the same one has a short name and a long one. */
export function hasImage(images: readonly string[], image: ImageReference): boolean {
  const wanted = longName(image)
  return images.some(found => longName(found) === wanted)
}

/** A name with its host, path and tag, as `node` is `docker.io/library/node:latest`. */
function longName(image: string): string {
  const [name = '', digest] = image.split('@')
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(0, slash))
  const hasHost = /[.:]/.test(first) || first === 'localhost'
  const path = hasHost ? name : `${HUB}/${slash < 0 ? `${OFFICIAL}/` : ''}${name}`
  if (digest !== undefined) return `${path.replace(/:[^:/]+$/, '')}@${digest}`
  return withTag(path)
}
