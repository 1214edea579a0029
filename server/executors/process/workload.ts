import type { Workload } from '#shared/model/index.ts'
import type { SandboxSpec } from '../index.ts'
import type { ProcessSandbox } from './sandbox.ts'

/** @param since when it was prepared, as `Date.now()` tells time. */
export function describeWorkload({
  spec,
  sandbox,
  since,
}: {
  spec: SandboxSpec
  sandbox: ProcessSandbox
  since: number
}): Workload {
  const { cpuMs, memoryBytes } = sandbox.usage()
  return {
    id: `process:${spec.id}`,
    executor: 'process',
    jobId: spec.job?.id ?? null,
    epoch: spec.job?.epoch ?? null,
    purpose: spec.job?.purpose ?? null,
    state: 'running',
    reason: null,
    isolation: sandbox.isolation,
    image: null,
    imageDigest: null,
    machine: null,
    startedAt: new Date(since).toISOString(),
    cpuMs,
    memoryBytes,
    memoryLimitBytes: spec.limits.memoryBytes,
  }
}
