import { isAbsolute, normalize } from 'node:path/posix'

/** Mounting over these would take away what the image brings, or what is ours. */
const TAKEN = ['/', '/bin', '/boot', '/dev', '/etc', '/lib', '/lib64', '/proc', '/run', '/sbin', '/skein', '/sys', '/usr', '/var']

/** Whether a path of this machine can be shown at the same place in an image, where it has to be put there. */
export const isFreeInImages = (path: string): boolean =>
  isAbsolute(path) && normalize(path) === path && !TAKEN.includes(path) && !path.startsWith('/skein/')
