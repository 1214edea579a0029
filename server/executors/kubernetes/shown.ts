import { readFile, stat } from 'node:fs/promises'
import { SandboxError } from '../index.ts'
import { isFreeInImages } from '../shown-path.ts'
import { shortHash } from './names.ts'

/** What of this machine a pod is shown, at the same path: nothing of it is mounted there, so it is sent. */
export interface Shown {
  /** Filled when the runner is there. */
  readonly directories: readonly string[]
  /** From ConfigMaps: a program of ours is the same in every sandbox, and sent to the cluster once. */
  readonly files: readonly ShownFile[]
}

export interface ShownFile {
  readonly path: string
  /** Of its content. */
  readonly hash: string
  readonly content: Buffer
}

/** A ConfigMap holds a MiB, and binary content a third less. */
const MOST_FILE_BYTES = 700 * 1024
/** Reads what is to be shown. @throws {SandboxError} for what cannot be */
export async function planShown(paths: readonly string[]): Promise<Shown> {
  const directories: string[] = []
  const files: ShownFile[] = []
  for (const path of new Set(paths)) {
    const fail = (why: string, cause?: unknown) =>
      new SandboxError('failed', `${path} cannot be shown in a pod: ${why}`, { cause })
    if (!isFreeInImages(path)) throw fail('a pod has something else there')
    const info = await stat(path).catch(cause => {
      throw fail(cause.message, cause)
    })
    if (info.isDirectory()) directories.push(path)
    else if (info.size > MOST_FILE_BYTES) throw fail(`it has more than ${MOST_FILE_BYTES} bytes`)
    else {
      const content = await readFile(path)
      files.push({ path, content, hash: shortHash(content.toString('base64'), 12) })
    }
  }
  return { directories, files }
}
