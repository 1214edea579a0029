import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assemble } from './seccomp/bpf.ts'
import { jobFilter } from './seccomp/filter.ts'
import { type SystemView, writeEtc } from './system.ts'

/** What all sandboxes of a node have in common, made once. */
export interface SharedParts {
  readonly system: SystemView
  /** Host directory that becomes /etc. */
  readonly etc: string
  /** File with the seccomp program; null on an architecture it was not written for. */
  readonly filter: string | null
}

/** Makes the parts below a directory of our own, over those of an earlier run: the host's certificates may be newer. */
export async function makeSharedParts(directory: string, system: SystemView): Promise<SharedParts> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const etc = join(directory, 'etc')
  await writeEtc(etc, system)
  return { system, etc, filter: await writeFilter(join(directory, 'seccomp.bpf')) }
}

async function writeFilter(file: string): Promise<string | null> {
  if (process.arch !== 'x64' && process.arch !== 'arm64') return null
  await writeFile(file, assemble(jobFilter(process.arch)), { mode: 0o600 })
  return file
}
