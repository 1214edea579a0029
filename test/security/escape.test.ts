import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Executor } from '#server/executors/index.ts'
import {
  openContainerExecutor,
  openProcessExecutor,
  openWorkshop,
  runIn,
  type Workshop,
  whyNoContainers,
  whyNoSandbox,
} from '../contract/executor-workshop.ts'
import { escapesOutside, furnish, openTarget } from './escapes.ts'
import { probeSuite } from './probe-suite.ts'
import { type ProbedKind, probesOf, type Target } from './probes.ts'

const isRoot = process.getuid?.() === 0

const processes = await openProcessExecutor()
/** Whose sandboxes are tried, and how Node.js is called inside. */
const KINDS: readonly { kind: ProbedKind; missing: string | null; executor: () => Executor; node: string }[] = [
  {
    kind: 'process',
    missing: await whyNoSandbox(processes.executor),
    executor: () => processes.executor,
    node: process.execPath,
  },
  { kind: 'container', missing: await whyNoContainers(), executor: openContainerExecutor, node: 'node' },
]

const { target, close } = await openTarget()
afterAll(async () => {
  await close()
  await processes.close()
})

// A probe that cannot succeed proves nothing when it fails.
describe('without a sandbox a hostile program can', () => {
  for (const probe of probesOf('process')) {
    test.skipIf((probe.root && !isRoot) || probe.possible?.({ ...target, node: process.execPath }) === false)(
      probe.attempt,
      async () => expect(await escapesOutside(probe, target)).toBe(true),
    )
  }
})

describe.each(KINDS)('in a sandbox of executor $kind a hostile program cannot', ({ kind, missing, executor, node }) => {
  let workshop: Workshop
  const inside: Target = { ...target, node }
  beforeAll(async () => {
    workshop = await openWorkshop(executor())
  })
  afterAll(() => workshop[Symbol.asyncDispose]())

  probeSuite(kind, missing, async probe => {
    const spec = await workshop.spec()
    await furnish(spec.workTree)
    return (await runIn(await workshop.sandbox(spec), probe.argv(inside))).stdout
  })
})
