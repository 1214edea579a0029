/** The first with `git merge-tree --write-tree`; older ones also fail to make the bundles that snapshots travel in (2.30 was tried). */
export const OLDEST_GIT = '2.38'

/** @param said what `git version` prints, "git version 2.39.5 (Apple Git-154)" for one */
export function isTooOld(said: string): boolean {
  const [major, minor] = numbers(said)
  const [oldMajor, oldMinor] = numbers(OLDEST_GIT)
  return major < oldMajor || (major === oldMajor && minor < oldMinor)
}

function numbers(text: string): [major: number, minor: number] {
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(text) ?? []
  return [Number(major), Number(minor)]
}
