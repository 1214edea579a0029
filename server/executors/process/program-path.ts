import { lstatSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** A directory as the inside names it, and as the host does. */
export interface Place {
  readonly inside: string
  readonly host: string
}

/**
 * Whether a program by this name can be started inside; tells a missing program from one that fails, before anything is started.
 * Links are not followed: they may only make sense inside.
 */
export function programExists(name: string, search: { path: string; workDir: string; places: readonly Place[] }): boolean {
  if (name === '') return false
  const candidates = name.includes('/') ? [name] : search.path.split(':').map(directory => join(directory || '.', name))
  return candidates.some(candidate => {
    const inside = resolve(search.workDir, candidate)
    const place = search.places.find(({ inside: root }) => inside === root || inside.startsWith(`${root}/`))
    const host = place ? join(place.host, inside.slice(place.inside.length)) : inside
    return exists(host)
  })
}

/** What may not be looked at is not there for us. */
function exists(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch {
    return false
  }
}
