import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#server/lib/clock.ts'
import type { SandboxSpec } from '../index.ts'
import type { RemoteSandbox } from './remote-sandbox.ts'
import type { TreeLimits } from './tree/receive.ts'

/** A tree that takes longer is held up by somebody. */
const COLLECT_MS = 15 * 60_000
const MOST_ENTRIES = 1_000_000

export const treeLimits = (spec: SandboxSpec): TreeLimits => ({ bytes: spec.limits.diskBytes, entries: MOST_ENTRIES })

/**
 * Brings the work tree out of a place that sees nothing of this machine, beside the one that was sent in, and puts it in its place once it is
 * whole.
 */
export async function collectTree(spec: SandboxSpec, sandbox: RemoteSandbox, clock: Clock): Promise<void> {
  const arriving = join(spec.scratch, 'tree')
  await rm(spec.scratch, { recursive: true, force: true })
  await mkdir(arriving, { recursive: true, mode: 0o700 })
  const cancel = clock.after(COLLECT_MS, () => sandbox.lose('its work tree did not come in time'))
  try {
    await sandbox.receiveTree(arriving, treeLimits(spec))
  } finally {
    cancel()
  }
  await rename(spec.workTree, join(spec.scratch, 'sent'))
  await rename(arriving, spec.workTree)
}
